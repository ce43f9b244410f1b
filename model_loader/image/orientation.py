"""Orientation of an image: from its EXIF data (the TIFF tag 274) or, without that, its XMP."""

from __future__ import annotations

import re
import struct

from PIL.Image import Transpose

TAG = 0x0112

_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
# The transposition that makes an image of each orientation upright.

SIDEWAYS = (
    Transpose.TRANSPOSE,
    Transpose.ROTATE_270,
    Transpose.TRANSVERSE,
    Transpose.ROTATE_90,
)
"""The transpositions that swap width and height."""

_IN_XMP = re.compile(rb"tiff:Orientation(?:\s*=\s*[\"']|>)([1-8])")
_PREFIX = b"Exif\0\0"
_INTEGERS = {3: "H", 4: "L"}


def turn_of(orientation: int) -> Transpose | None:
    """Return the transposition that makes an image of an orientation, 1 to 8, upright."""
    return _TURNS.get(orientation)


def find_turn(exif: bytes | None, xmp: bytes | None) -> Transpose | None:
    """Return the transposition that makes an image upright; None where it is.

    Args:
        exif: The EXIF data, with or without ``Exif`` in front. Damaged data says nothing.
        xmp: The XMP packet.
    """
    orientation = _read_exif(exif.removeprefix(_PREFIX)) if exif else 0
    if not orientation and xmp and (found := _IN_XMP.search(xmp)):
        orientation = int(found[1])
    return turn_of(orientation)


def _read_exif(tiff: bytes) -> int:
    """Return the orientation of EXIF data; 0 where it has none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 0
    (start,) = struct.unpack_from(f"{order}L", tiff, 4)
    (count,) = struct.unpack(f"{order}H", tiff[start : start + 2].ljust(2, b"\0"))
    entries = tiff[start + 2 : start + 2 + 12 * count]
    whole = entries[: len(entries) // 12 * 12]
    for tag, kind, _, value in struct.iter_unpack(f"{order}HHL4s", whole):
        if tag == TAG and kind in _INTEGERS:
            return int(struct.unpack_from(f"{order}{_INTEGERS[kind]}", value)[0])
    return 0
