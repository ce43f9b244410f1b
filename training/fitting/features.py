"""What a stage's frozen part gives, computed once for each image and kept in a file.

Exact, not approximate: the frozen part runs in eval mode, so an image has one output. Where the
recipe augments, K augmented views of each image are kept, and epoch e trains on view e mod K.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from training.errors import TrainingError
from training.fitting.frozen import Runner
from training.fitting.order import Examples
from training.progress import progress


class CachedFeatures(Examples):
    """The outputs of a frozen part; takes the numbers of ``EpochOrder``, and plain indices too."""

    def __init__(self, rows: NDArray[np.generic], labels: Tensor) -> None:
        """Keep ``rows`` [views · n, …], all images of a view together, and labels int64 [n]."""
        self._rows = rows
        self._labels = labels
        self._views = len(rows) // len(labels)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._labels)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the features and the label of one number."""
        features, labels = self.__getitems__([number])
        return features[0], labels[0]

    def __getitems__(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return a whole batch: features, float32 [B, …], and labels, int64 [B]."""
        n = len(self)
        rows = [(number // n % self._views) * n + number % n for number in numbers]
        features = torch.from_numpy(np.asarray(self._rows[rows], dtype=np.float32))
        return features, self._labels[[number % n for number in numbers]]


def compute_features(
    run: Runner,
    views: Sequence[Examples],
    labels: Tensor,
    path: Path,
    title: str,
    batch: int,
) -> CachedFeatures:
    """Run the frozen part of a model over images.

    Args:
        run: The frozen part.
        views: The same images, once for each view, augmented or not.
        labels: int64 [n].
        path: The file to keep them in (memory-mapped; float32 for feature vectors, float16 for
            feature maps, whose last bits are worth less than their size).
        title: What the progress bar says.
        batch: Images in one run of the frozen part; 1 where their sizes differ.

    Raises:
        TrainingError: The file cannot be written.
    """
    rows: NDArray[np.generic] | None = None
    done = 0
    total = len(views) * len(labels)
    with progress(title, total) as advance:
        for view in views:
            for images, _ in DataLoader(view, batch_size=batch):
                output = run(images)
                if rows is None:
                    rows = _new_file(path, (total, *output.shape[1:]))
                rows[done : done + len(output)] = output
                done += len(output)
                for _ in range(len(output)):
                    advance("")
    assert rows is not None
    return CachedFeatures(rows, labels)


def first_images(numbered: Examples, n: int, epoch: int) -> Examples:
    """Return all ``n`` images of a numbered data set as they are in one epoch."""
    return Subset(numbered, range(epoch * n, (epoch + 1) * n))


def _new_file(path: Path, shape: tuple[int, ...]) -> NDArray[np.generic]:
    kind = np.float32 if len(shape) == 2 else np.float16
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
        _reserve(path)
        return rows
    except OSError as error:
        size = np.prod(shape) * np.dtype(kind).itemsize / 1e9
        raise TrainingError(
            f"The features of the frozen layers ({size:.1f} GB) cannot be kept in {path.parent}: "
            f"{error.strerror}. Make room, or set the stage's views to 0 to compute them each time."
        ) from error


def _reserve(path: Path) -> None:
    """Take a file's space now: on a full disk, writing to a memory map ends the process."""
    if hasattr(os, "posix_fallocate"):  # macOS has none
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
