"""Exact and near duplicates of images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.contents import sha256


def exact_duplicates(root: Path, sizes: Iterable[tuple[str, int]]) -> list[list[str]]:
    """Return the sets of two and more files with the same bytes, in the order they were given.

    Only files of equal size are read. Empty files, and those that cannot be read, are left out.
    ``sizes`` has each file's path below the root, and its size in bytes.
    """
    by_size = defaultdict(list)
    for file, size in sizes:
        if size:
            by_size[size].append(file)
    by_content = defaultdict(list)
    for files in by_size.values():
        if len(files) > 1:
            for file in files:
                if (content := _digest(root / file)) is not None:
                    by_content[content].append(file)
    return [files for files in by_content.values() if len(files) > 1]


def equal_files(root: Path, files: Iterable[str]) -> list[list[str]]:
    """Return the sets of files with the same bytes, as ``exact_duplicates`` does."""
    return exact_duplicates(root, [(file, _size(root / file)) for file in files])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _digest(path: Path) -> str | None:
    try:
        return sha256(path)
    except OSError:
        return None


class NearIndex:
    """Perceptual hashes and thumbnails of images, to find near duplicates.

    A query compares with every entry; no list of pairs grows where thousands of frames look alike.
    """

    def __init__(self, size: int, distance: int, difference: float) -> None:
        """Make an index for at most ``size`` images.

        Near images differ in at most ``distance`` of the 64 bits of their hashes, and their
        thumbnails by at most ``difference``; see ``alike``.
        """
        self._hashes = np.zeros(size, np.uint64)
        self._thumbnails: list[NDArray[np.uint8]] = []
        self._distance = distance
        self._difference = difference

    def add(self, hash_: int, thumbnail: NDArray[np.uint8]) -> None:
        """Add an image; its entry is the number of those added before."""
        self._hashes[len(self._thumbnails)] = hash_
        self._thumbnails.append(thumbnail)

    def near(self, hash_: int, thumbnail: NDArray[np.uint8]) -> list[int]:
        """Return the entries that show the same image, in the order they were added."""
        known = self._hashes[: len(self._thumbnails)]
        differing = np.bitwise_count(known ^ np.uint64(hash_))
        return [
            int(entry)
            for entry in np.flatnonzero(differing <= self._distance)
            if alike(self._thumbnails[entry], thumbnail, self._difference)
        ]


def alike(one: NDArray[np.uint8], other: NDArray[np.uint8], limit: float) -> bool:
    """Return whether two thumbnails, uint8 [H, W, 3], show the same image.

    Noise decides the perceptual hash of a plain sky, so two skies with a speck each can share one.
    Therefore the root mean square difference of the thumbnails, with equal brightness, must not
    exceed ``limit``, a fraction of their contrast, 0…2: 0 is the same image, 1.4 are two unrelated
    ones.
    """
    first, second = (image.astype(np.float32).reshape(-1, 3) for image in (one, other))
    first, second = first - first.mean(0), second - second.mean(0)
    contrast = (np.sqrt((first**2).mean()) + np.sqrt((second**2).mean())) / 2
    difference = np.sqrt(((first - second) ** 2).mean())
    return bool(difference <= limit * max(contrast, 1.0))
