"""TIFF: a directory of tags that describes the first image, and strips or tiles of pixels.

The tags that are kept become a new directory behind the file, so that offsets stay valid.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from model_loader.image.essentials import Buffer, DamagedError, Essentials
from model_loader.image.jpeg import MAX_SCANS, count_scans
from model_loader.image.orientation import TAG as ORIENTATION
from model_loader.image.orientation import find_turn, turn_of

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _PLANES = 256, 257, 258, 259, 277, 284
_STRIPS, _STRIP_ROWS, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 322, 323, 324, 325
_PALETTE, _XMP = 320, 700
_SMALL = (262, 266, 292, 293, 317, 332, 338, 339, 529, 530, 531, 532, 50674)
# Photometric interpretation, fill order, fax options, predictor, inks, extra samples, sample
# format, YCbCr, LERC.
_JPEG_TABLES = (347, 512, 513, 514, 515, 519, 520, 521)

_MOST_VALUES = {
    **dict.fromkeys((_WIDTH, _HEIGHT, _COMPRESSION, _SAMPLES, _PLANES, _STRIP_ROWS), 1),
    **dict.fromkeys((_TILE_WIDTH, _TILE_HEIGHT), 1),
    **dict.fromkeys((_BITS, *_SMALL), 16),
    **dict.fromkeys((_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES), 50_000),
    **dict.fromkeys((_PALETTE, *_JPEG_TABLES), 3 << 16),
}
# The tags that the pixels need, and how many values each may have.

_MOST_TAGS = 1_000
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
_INTEGERS = {1: "B", 3: "H", 4: "L", 16: "Q"}
_JPEG = (6, 7)
_COST_OF_STRIP, _COST_OF_BYTE = 1_000, 0.25


class _Entry(NamedTuple):
    """One tag of a directory.

    Attributes:
        kind: The type of its values.
        length: The number of its values.
        field: The values, where they fit in; else their position.
    """

    kind: int
    length: int
    field: bytes


class _Directory:
    """The first directory of a file, in either byte order, of a TIFF or a BigTIFF."""

    def __init__(self, data: Buffer) -> None:
        """Read its tags.

        Raises:
            DamagedError: It is not whole, or has more tags than any image needs.
        """
        self._data = data
        self._order = "<" if data[:2] == b"II" else ">"
        is_big = 43 in data[2:4]
        self._offset, self._count, entry = ("Q", "Q", "HHQ8s") if is_big else ("L", "H", "HHL4s")
        self._entry = f"{self._order}{entry}"
        self._pointer = 8 if is_big else 4
        start = self._number(self._offset, self._pointer)
        count = self._number(self._count, start)
        if count > _MOST_TAGS:
            raise DamagedError(f"its directory has {count:,} tags")
        start += struct.calcsize(f"={self._count}")
        entries = data[start : start + count * struct.calcsize(self._entry)]
        if len(entries) < count * struct.calcsize(self._entry):
            raise DamagedError("its directory is not whole")
        self.entries: dict[int, _Entry] = {}
        for tag, *rest in struct.iter_unpack(self._entry, entries):
            self.entries.setdefault(tag, _Entry(*rest))

    def values(self, tag: int) -> bytes:
        """Return a tag's values as they are stored; nothing where it is missing."""
        entry = self.entries.get(tag, _Entry(1, 0, b""))
        size = entry.length * _VALUE_BYTES.get(entry.kind, 1)
        if size <= len(entry.field):
            return entry.field[:size]
        start = int.from_bytes(entry.field, "little" if self._order == "<" else "big")
        return self._data[start : start + size]

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return a tag's values that are whole numbers, at most as many as are allowed."""
        letter = _INTEGERS.get(self.entries.get(tag, _Entry(0, 0, b"")).kind)
        if letter is None:
            return ()
        found = self.values(tag)
        count = min(len(found) // struct.calcsize(f"={letter}"), _MOST_VALUES.get(tag, 1))
        return struct.unpack_from(f"{self._order}{count}{letter}", found)

    def number(self, tag: int, default: int = 0) -> int:
        """Return a tag's first value."""
        return next(iter(self.numbers(tag)), default)

    def essential(self) -> list[bytes | range]:
        """Return the pieces of a file with the tags that the pixels need, and no other image.

        Raises:
            DamagedError: One of them has more values than any image needs.
        """
        kept = sorted(item for item in self.entries.items() if item[0] in _MOST_VALUES)
        for tag, entry in kept:
            if entry.length > _MOST_VALUES[tag]:
                raise DamagedError(f"its tag {tag} has {entry.length:,} values")
        end = len(self._data)
        behind = self._pointer + struct.calcsize(f"={self._offset}")
        return [
            self._data[: self._pointer] + struct.pack(f"{self._order}{self._offset}", end),
            range(behind, end),
            struct.pack(f"{self._order}{self._count}", len(kept)),
            *(struct.pack(self._entry, tag, *entry) for tag, entry in kept),
            struct.pack(f"{self._order}{self._offset}", 0),
        ]

    def _number(self, letter: str, position: int) -> int:
        size = struct.calcsize(f"={letter}")
        found = self._data[position : position + size]
        if len(found) < size:
            raise DamagedError("it ends before its directory")
        return int(struct.unpack(f"{self._order}{letter}", found)[0])


def read_essentials(data: Buffer) -> Essentials:
    """Keep the tags that the pixels of the first image need.

    Raises:
        DamagedError: The directory is not whole, or has more than its image needs.
    """
    directory = _Directory(data)
    orientation = directory.number(ORIENTATION)
    turn = turn_of(orientation) if orientation else find_turn(None, directory.values(_XMP))
    return Essentials(directory.essential(), turn, _cost(directory, data))


def _cost(directory: _Directory, data: Buffer) -> int:
    """Return the cost of decoding; tiles may reach beyond the image.

    Raises:
        DamagedError: There are more strips, tiles or scans than the image has room for.
    """
    width, height = directory.number(_WIDTH), directory.number(_HEIGHT)
    samples = directory.number(_SAMPLES, 1)
    planes = samples if directory.number(_PLANES) == 2 else 1
    rows = min(directory.number(_STRIP_ROWS, height), height) or 1
    pixels, parts = width * height, -(-height // rows) * planes
    _check_count(directory, _STRIPS, parts)
    if _TILE_WIDTH in directory.entries:
        across, down = directory.number(_TILE_WIDTH) or 1, directory.number(_TILE_HEIGHT) or 1
        tiles = -(-width // across) * -(-height // down)
        pixels, parts = tiles * across * down, tiles * planes
        _check_count(directory, _TILES, parts)
    if (
        directory.number(_COMPRESSION) in _JPEG
        and _count_scans(directory, data) > parts + MAX_SCANS
    ):
        raise DamagedError("it has more scans than strips or tiles")
    bits = directory.numbers(_BITS) or (1,)
    pixel_bits = sum(bits) if len(bits) > 1 else bits[0] * samples
    return max(pixels, int(_COST_OF_BYTE * pixels * pixel_bits / 8), _COST_OF_STRIP * parts)


def _count_scans(directory: _Directory, data: Buffer) -> int:
    """Count the scans of an image's JPEGs; those of further images do not count."""
    starts = (*directory.numbers(_STRIPS), *directory.numbers(_TILES))
    lengths = (*directory.numbers(_STRIP_BYTES), *directory.numbers(_TILE_BYTES))
    spans = {*zip(starts, lengths, strict=False)}
    if sum(length for _, length in spans) > 2 * len(data):
        raise DamagedError("its strips or tiles overlap")
    return sum(count_scans(data[start : start + length]) for start, length in spans)


def _check_count(directory: _Directory, tag: int, most: int) -> None:
    entry = directory.entries.get(tag)
    if entry is not None and entry.length > most:
        raise DamagedError(f"it has {entry.length:,} strips or tiles, its image has {most:,}")
