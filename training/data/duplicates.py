"""Images that are there twice: to the byte, or to the eye."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 20


def exact_duplicates(root: Path, sizes: Iterable[tuple[str, int]]) -> list[list[str]]:
    """Find files with the same bytes.

    Only files of equal size are read. One that cannot be read is a duplicate of nothing.

    Args:
        root: The folder.
        sizes: Each file's path below it, and its size in bytes.

    Returns:
        Sets of two and more equal files, in the order they were given; empty files are left out.
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


def _digest(path: Path) -> bytes | None:
    try:
        digest = hashlib.sha256()  # hashlib.file_digest takes half as long again for small files
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.digest()
    except OSError:
        return None


class NearIndex:
    """Perceptual hashes and thumbnails of the images seen so far, to ask which one is near.

    A query compares with every entry: 100,000 queries of as many entries take seconds, and no
    list of pairs can grow out of hand where thousands of frames look the same.
    """

    def __init__(self, size: int, distance: int, difference: float) -> None:
        """Make room for ``size`` images.

        Args:
            size: How many images may be added.
            distance: How many of the 64 bits of two near images' hashes differ at most.
            difference: How far their thumbnails differ at most; see ``alike``.
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
        """Return the entries that show the same picture, in the order they were added."""
        known = self._hashes[: len(self._thumbnails)]
        differing = np.bitwise_count(known ^ np.uint64(hash_))
        return [
            int(entry)
            for entry in np.flatnonzero(differing <= self._distance)
            if alike(self._thumbnails[entry], thumbnail, self._difference)
        ]


def alike(one: NDArray[np.uint8], other: NDArray[np.uint8], limit: float) -> bool:
    """Say whether two thumbnails show the same picture.

    A perceptual hash of a plain sky is decided by noise, so two skies with a speck each can share
    one. The thumbnails settle it: the difference that is left when the brightness is evened out
    must be small against what there is to see.

    Args:
        one: uint8 [H, W, 3].
        other: Likewise.
        limit: The largest root mean square difference, as a fraction of the pictures' own
            contrast, 0…2: 0 is the same picture, 1.4 are two unrelated ones.
    """
    first, second = (image.astype(np.float32).reshape(-1, 3) for image in (one, other))
    first, second = first - first.mean(0), second - second.mean(0)
    contrast = (np.sqrt((first**2).mean()) + np.sqrt((second**2).mean())) / 2
    difference = np.sqrt(((first - second) ** 2).mean())
    return bool(difference <= limit * max(contrast, 1.0))
