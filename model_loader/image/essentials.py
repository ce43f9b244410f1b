"""The parts of a file that its pixels need, which are all that Pillow gets to see.

A file may also carry metadata in any number of pieces, further frames and thumbnails. Pillow reads
all of it, some in quadratic time, and acts on some of it: it turns a TIFF upright while decoding,
and unpacks a PNG's text. So each format has a module with a function ``read_essentials``, which
goes through a file's parts, keeps those that make up the first frame, and reads the orientation.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeAlias

from PIL import Image

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_PARTS = 100_000
"""Largest number of parts of a file. A PNG of 50 MB has 6,100 of the size that libpng writes."""

_BLOCK = 4096  # bytes that are read at once


class FileBytes:
    """The bytes of an open file, read when they are asked for."""

    def __init__(self, file: BinaryIO) -> None:
        """Take a file, which must stay open."""
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        self._start, self._block = 0, b""

    def __len__(self) -> int:
        """Return the file's size in bytes."""
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        """Return some bytes, from the block read last where it has them; fewer at the end."""
        start, stop, _ = part.indices(self._size)
        if not self._start <= start <= stop <= self._start + len(self._block):
            self._file.seek(start)
            self._start, self._block = start, self._file.read(max(_BLOCK, stop - start))
        return self._block[start - self._start : max(start, stop) - self._start]


Buffer: TypeAlias = bytes | FileBytes
"""The bytes of a whole file, in memory or on disk."""


class Essentials(NamedTuple):
    """The parts of a file that are kept.

    Attributes:
        pieces: The reduced file, in order: new bytes, or positions in the original.
        turn: The transposition that makes the image upright; None where it is.
        cost: The time that decoding takes, in pixels of an image that is slow to decode; 0 where
            it follows from the image's own number of pixels.
    """

    pieces: Sequence[bytes | range]
    turn: Image.Transpose | None = None
    cost: int = 0


class DamagedError(Exception):
    """The parts of a file do not fit together."""


def open_pieces(data: Buffer, pieces: Sequence[bytes | range]) -> BinaryIO:
    """Return a file that is read from pieces of another, which are not copied."""
    return io.BufferedReader(_Pieces(data, pieces), _BLOCK)


class _Pieces(io.RawIOBase):
    def __init__(self, data: Buffer, pieces: Sequence[bytes | range]) -> None:
        self._data = data
        self._pieces = _joined(pieces)
        self._ends = list(accumulate(map(len, self._pieces)))
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, target: WriteableBuffer) -> int:
        view, filled = memoryview(target), 0
        while found := self._next(len(view) - filled):
            view[filled : filled + len(found)] = found
            filled += len(found)
        return filled

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self._next(self._size), b""))

    @property
    def _size(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _next(self, most: int) -> bytes:
        """Return the next bytes, at most to the end of a piece; none at the end of the file."""
        index = bisect_right(self._ends, self._position)
        if index == len(self._pieces) or not most:
            return b""
        piece = self._pieces[index]
        start = self._position - (self._ends[index] - len(piece))
        part = piece[start : start + most]
        found = part if isinstance(part, bytes) else self._data[part.start : part.stop]
        self._position += len(found)
        return found


def _joined(pieces: Sequence[bytes | range]) -> list[bytes | range]:
    """Drop empty pieces, and join positions that follow each other."""
    joined: list[bytes | range] = []
    for piece in pieces:
        last = joined[-1] if joined else b""
        if isinstance(piece, range) and isinstance(last, range) and last.stop == piece.start:
            joined[-1] = range(last.start, piece.stop)
        elif len(piece):
            joined.append(piece)
    return joined
