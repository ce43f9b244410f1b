"""When separate processes should load images."""

from __future__ import annotations

import time

from training.parallel import cores
from training.pixels.dataset import PixelDataset

MOST_WORKERS = 4
"""More wait for the training, which takes each of their batches in turn."""

_SPARE = 4
# The number of cores from which some are free beside the training.
_WORTH_SECONDS = 20.0
# Less loading in all is not worth starting workers: 0.1–0.3 s by fork, 2.4–4.9 s by forkserver.
_QUICK = 0.0005
# A quicker image, cached and without augmentation, costs as much to hand over.


def worker_count(seconds: float, images: int, available: int | None = None) -> int:
    """Return how many processes should load images: 0 on two cores, up to 4 on more.

    On two cores, workers win nothing beside training. ``images`` are those of all epochs, each of
    which takes ``seconds``. Forked workers have one thread each, so that they never wait for
    threads of the main process, which a fork does not copy.
    """
    available = cores() if available is None else available
    if available < _SPARE or seconds * images < _WORTH_SECONDS or seconds < _QUICK:
        return 0
    return min(available - 1, MOST_WORKERS)


def item_seconds(images: PixelDataset, n: int = 16) -> float:
    """Return the time of one item: the median of ``n``, or 0 if there is none.

    An augmentation draws from the random generator.
    """
    seconds = []
    for index in range(min(n, len(images))):
        start = time.perf_counter()
        images[index]
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2] if seconds else 0.0
