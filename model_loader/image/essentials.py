"""The part of a file that its pixels need, which is all that Pillow gets to see.

Image formats let a file carry what nobody asked for: metadata in any number of pieces, further
frames, thumbnails. Pillow reads all of it, some in quadratic time, and acts on some of it: a TIFF
is turned upright while it is decoded, a PNG's text is unpacked. So each format has a module with a
function ``read_essentials``, which goes through a file's parts and keeps those that make up the
first frame; the orientation is read on the way.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from PIL import Image

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_PARTS = 100_000
"""Parts of the largest file. A PNG of 50 MB has 6,100 of the size that libpng writes."""


class Buffer(Protocol):
    """The bytes of a file, in memory or on disk."""

    def __len__(self) -> int:
        """Return the number of bytes."""

    def __getitem__(self, part: slice, /) -> bytes:
        """Return some bytes; fewer where the file ends before."""


class Essentials(NamedTuple):
    """What is kept of a file.

    Attributes:
        pieces: The reduced file, in order: new bytes, or positions in the original.
        turn: What makes the image upright; None where it is.
        cost: The time that decoding takes, in pixels of a slow image (some 0.05 µs each); 0 where
            the image's own pixels say it.
    """

    pieces: Sequence[bytes | range]
    turn: Image.Transpose | None = None
    cost: int = 0


class DamagedError(Exception):
    """The parts of a file do not fit together."""


class FileBytes:
    """The bytes of an open file, read when they are asked for."""

    def __init__(self, file: BinaryIO) -> None:
        """Take a file, which must stay open."""
        self._file = file
        self._size = file.seek(0, io.SEEK_END)

    def __len__(self) -> int:
        """Return the file's size in bytes."""
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        """Read some bytes."""
        start, stop, _ = part.indices(self._size)
        self._file.seek(start)
        return self._file.read(max(0, stop - start))


def open_pieces(data: Buffer, pieces: Sequence[bytes | range]) -> BinaryIO:
    """Return a file that is read from pieces of another, which are not copied."""
    return io.BufferedReader(_Pieces(data, pieces), 1 << 16)


class _Pieces(io.RawIOBase):
    def __init__(self, data: Buffer, pieces: Sequence[bytes | range]) -> None:
        self._data = data
        self._pieces = [piece for piece in pieces if len(piece)]
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
        found = self._next(len(memoryview(target)))
        memoryview(target)[: len(found)] = found
        return len(found)

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self._next(self._size), b""))

    @property
    def _size(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _next(self, most: int) -> bytes:
        """Return what follows, as far as one piece has it; nothing at the end."""
        index = bisect_right(self._ends, self._position)
        if index == len(self._pieces):
            return b""
        piece = self._pieces[index]
        start = self._position - (self._ends[index] - len(piece))
        part = piece[start : start + most]
        found = part if isinstance(part, bytes) else self._data[part.start : part.stop]
        self._position += len(found)
        return found
