"""The outputs of a stage's frozen layers, computed once for each image and kept in a file.

Exact, not approximate: frozen layers run in eval mode, so an image has one output. Where the
recipe augments, K augmented views of each image are kept: epoch e trains on view e, and after K
epochs on the plain images, then on the first view again. One view alone is worse than no
augmentation; eight and the plain images come near to fresh views in each epoch.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from training.errors import TrainingError
from training.fitting.frozen import Runner
from training.fitting.order import Examples
from training.output.progress import progress, tell

_T = TypeVar("_T")

_LARGEST_HALF = float(np.finfo(np.float16).max)


class CachedFeatures(Examples):
    """Outputs of frozen layers, by the numbers of ``EpochOrder`` or by plain indices."""

    def __init__(self, views: Sequence[NDArray[np.generic]], labels: Tensor) -> None:
        """Take the outputs of each view, [n, …], used in turn by epochs, and labels, int64 [n]."""
        self._views = views
        self._labels = labels

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._labels)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the features and the label of one number."""
        features, labels = self.__getitems__([number])
        return features[0], labels[0]

    def __getitems__(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return a whole batch: features, float32 [B, …], and labels, int64 [B]."""
        n, views = len(self), self._views
        rows = [views[number // n % len(views)][number % n] for number in numbers]
        features = torch.from_numpy(np.stack(rows).astype(np.float32, copy=False))
        return features, self._labels[[number % n for number in numbers]]


def compute_features(
    run: Runner,
    views: Sequence[Examples],
    n: int,
    path: Path,
    title: str,
    batch: int,
    workers: int = 0,
    loads_ahead: bool = False,
) -> NDArray[np.generic]:
    """Run frozen layers over images, and keep their outputs in a file.

    Args:
        run: Runs the frozen layers.
        views: The same images, once for each view, augmented or not.
        n: Number of images.
        path: The file, which is memory-mapped: float32 for feature vectors, float16 for feature
            maps, to save space, unless they go beyond its range.
        title: The progress bar's.
        batch: Images in one run; 1 where their sizes differ.
        workers: Number of processes that load images.
        loads_ahead: Whether a thread loads the next images meanwhile; not where they are augmented,
            which changes the number of torch's threads.

    Returns:
        The outputs, [views · n, …], all images of a view together.

    Raises:
        TrainingError: The file cannot be written, or an output is not finite.
    """
    rows: NDArray[np.generic] | None = None
    done, total = 0, len(views) * n
    with progress(title, total) as advance:
        for view in views:
            batches = DataLoader(view, batch_size=batch, num_workers=workers)
            for images, _ in _ahead(batches) if loads_ahead else batches:
                output = run(images)
                largest = float(np.abs(output).max())
                if not math.isfinite(largest):
                    raise TrainingError(
                        f"The frozen layers give {largest} for an image: the weights that training "
                        "began with are damaged, or not for images normalised as the recipe says."
                    )
                if rows is None:
                    kind = np.float32 if output.ndim == 2 else np.float16
                    rows = _new_file(path, (total, *output.shape[1:]), kind)
                if rows.dtype == np.float16 and largest > _LARGEST_HALF:
                    rows = _widened(rows, done, path)
                rows[done : done + len(output)] = output
                done += len(output)
                for _ in output:
                    advance("")
    assert rows is not None
    return rows


def _ahead(batches: Iterable[_T]) -> Iterator[_T]:
    """Yield batches while a thread gets the next one."""
    ending = object()
    following = iter(batches)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(next, following, ending)
        while (batch := pending.result()) is not ending:
            pending = pool.submit(next, following, ending)
            yield cast(_T, batch)


def first_images(numbered: Examples, n: int, epoch: int) -> Examples:
    """Return all ``n`` images of a numbered data set as they are in one epoch."""
    return Subset(numbered, range(epoch * n, (epoch + 1) * n))


def _widened(rows: NDArray[np.generic], done: int, path: Path) -> NDArray[np.generic]:
    """Put a file of float32, with the first ``done`` rows, in the place of one of float16."""
    partial = path.with_suffix(".partial.npy")
    wide = _new_file(partial, rows.shape, np.float32)
    wide[:done] = rows[:done]
    partial.replace(path)
    tell(
        f"The frozen layers give numbers above {_LARGEST_HALF:,.0f}: they are kept as float32, in "
        "twice the room"
    )
    return wide


def _new_file(
    path: Path, shape: tuple[int, ...], kind: type[np.floating[Any]]
) -> NDArray[np.generic]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
        if hasattr(os, "posix_fallocate"):  # macOS has none
            # On a full disk, writing to a memory map ends the process.
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return rows
    except OSError as error:
        size = np.prod(shape) * np.dtype(kind).itemsize / 1e9
        raise TrainingError(
            f"The features of the frozen layers ({size:.1f} GB) cannot be kept in {path.parent}: "
            f"{error.strerror}. Make room, or set the stage's views to 0 to compute them each time."
        ) from error
