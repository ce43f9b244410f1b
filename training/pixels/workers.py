"""When processes of their own should load images."""

from __future__ import annotations

import time
from typing import Protocol

from torch import Tensor

from training.data.contents import cores

MOST_WORKERS = 4
"""More wait for the training, which takes each of their batches in turn."""

_SPARE = 4
"""Cores from which on some are free beside the training."""

_WORTH_SECONDS = 20.0
"""Loading that takes less in all is not worth starting workers for: 0.1–0.3 s by fork, 2.4–4.9 s by
forkserver."""


_QUICK = 0.0005
"""An image that takes less, cached and without augmentation, costs as much to hand over."""


class Examples(Protocol):
    """A data set of (input, label's index)."""

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def __getitem__(self, index: int, /) -> tuple[Tensor, Tensor]:
        """Return one input and the index of its label."""
        ...


def worker_count(seconds: float, images: int, available: int | None = None) -> int:
    """Return how many processes should load images: 0 on two cores, up to 4 on more.

    Measured on two cores of an AMD EPYC, 1,327 photographs, seed 002's augmentation, batches of
    64, the second epoch, workers forked: 1.7–2.2 s with no worker, 2.2–2.4 s with one, 1.3–1.4 s
    with two, while nothing else ran. Beside training there is nothing to win on two cores: with a
    MobileNetV2's forward and the head's step, 256 images took 5.6–7.6 s with no worker, 7.3–8.2 s
    with one, 6.8–8.8 s with two (two rounds, on cores shared with other work).

    Where the workers are forked, PyTorch gives each one thread, so that they never wait for
    threads of the main process, which a fork does not copy.

    Args:
        seconds: One image takes; see ``item_seconds``.
        images: That will be loaded in all: those of an epoch, times the epochs.
        available: Processor cores; None for those that this process may use.
    """
    available = cores() if available is None else available
    if available < _SPARE or seconds * images < _WORTH_SECONDS or seconds < _QUICK:
        return 0
    return min(available - 1, MOST_WORKERS)


def item_seconds(examples: Examples, n: int = 16) -> float:
    """Return how long one item takes: the median of ``n`` (0 if there is none).

    It draws from the random generator where the examples do.
    """
    took = []
    for index in range(min(n, len(examples))):
        start = time.perf_counter()
        examples[index]
        took.append(time.perf_counter() - start)
    return sorted(took)[len(took) // 2] if took else 0.0
