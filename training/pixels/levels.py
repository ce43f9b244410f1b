"""Decoded pictures in one flat array, in memory or mapped from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint8]


class Pictures:
    """Pictures of any sizes in one flat array: uint8 [H, W, 3] each, to be read, not changed."""

    def __init__(
        self,
        levels: Levels,
        sizes: Sequence[tuple[int, int]],
        problems: Mapping[int, str],
        path: Path | None = None,
    ) -> None:
        """Cut ``levels`` (flat) into pictures.

        Args:
            levels: All pictures' levels, one after the other.
            sizes: (height, width) of each.
            problems: Files that have no picture: their number among all files, and why.
            path: The file that ``levels`` is mapped from; a worker process maps it anew.
        """
        self.sizes = [(int(height), int(width)) for height, width in sizes]
        self.problems = dict(problems)
        self._levels = levels
        self._path = path
        counts = [height * width * 3 for height, width in self.sizes]
        self._ends = np.cumsum(counts, dtype=np.int64)
        if len(levels) != sum(counts):
            raise ValueError(f"{len(levels)} levels do not make {sum(counts)}")

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.sizes)

    def __getitem__(self, index: int) -> Levels:
        """Return one picture, uint8 [H, W, 3]."""
        height, width = self.sizes[index]
        end = int(self._ends[index])
        return self._levels[end - height * width * 3 : end].reshape(height, width, 3)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the levels out where they can be mapped again: a memory map pickles whole."""
        return {**self.__dict__, "_levels": None if self._path else self._levels}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the levels again."""
        self.__dict__.update(state)
        if self._path:
            self._levels = map_levels(self._path)


def map_levels(path: Path) -> Levels:
    """Map a file of levels."""
    if not path.stat().st_size:
        return np.zeros(0, dtype=np.uint8)  # nothing can be mapped from an empty file
    return np.memmap(path, dtype=np.uint8, mode="r")
