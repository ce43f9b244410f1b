"""PNG: a signature and chunks, each with its length and kind in front and a checksum behind."""

from __future__ import annotations

import zlib

from model_loader.image.essentials import MAX_PARTS, Buffer, DamagedError, Essentials
from model_loader.image.orientation import find_turn

_SIGNATURE_BYTES = 8
_BEFORE_PIXELS = (b"IHDR", b"PLTE", b"tRNS")
_XMP = b"XML:com.adobe.xmp\0"
_PROFILE = b"Raw profile type exif\0"
_MOST_PROFILE = 1 << 17
_NO_CHECKSUM = bytes(4)  # Pillow does not look at that of pixels
_END = b"\0\0\0\0IEND\xaeB`\x82"


def read_essentials(data: Buffer) -> Essentials:
    """Keep header, palette, transparency and pixels; see ``essentials``.

    Raises:
        DamagedError: There are more than ``MAX_PARTS`` chunks.
    """
    kept: dict[bytes, range] = {}
    pixels: list[range] = []
    exif = xmp = None
    position = _SIGNATURE_BYTES
    for _ in range(MAX_PARTS):
        head = data[position : position + 8]
        kind = head[4:]
        if len(head) < 8 or kind == b"IEND":
            break
        start, end = position + 8, position + 8 + int.from_bytes(head[:4])
        if kind == b"IDAT":
            pixels.append(range(start, min(end, len(data))))
        elif kind in _BEFORE_PIXELS and not pixels:
            kept.setdefault(kind, range(position, min(end + 4, len(data))))
        elif kind == b"eXIf":
            exif = data[start:end]
        elif kind == b"iTXt" and data[start : start + len(_XMP)] == _XMP:
            xmp = data[start:end]
        elif kind in (b"tEXt", b"zTXt") and data[start : start + len(_PROFILE)] == _PROFILE:
            exif = exif or _unpack_profile(data[start + len(_PROFILE) : end], kind)
        position = end + 4
    else:
        raise DamagedError(f"more than {MAX_PARTS:,} chunks")
    pieces: list[bytes | range] = [range(_SIGNATURE_BYTES), *kept.values()]
    if pixels:  # as one chunk: Pillow takes long for many
        length = sum(map(len, pixels))
        pieces += [length.to_bytes(4) + b"IDAT", *pixels, _NO_CHECKSUM]
    return Essentials([*pieces, _END], find_turn(exif, xmp))


def _unpack_profile(text: bytes, kind: bytes) -> bytes | None:
    """Return the EXIF data of a text that ImageMagick writes: a name, a length, hexadecimal digits.

    Args:
        text: The chunk's data behind the keyword.
        kind: ``tEXt``, or ``zTXt`` for a compressed one.
    """
    try:
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], _MOST_PROFILE)
        return bytes.fromhex("".join(text[:_MOST_PROFILE].decode("ascii").split("\n")[3:]))
    except (zlib.error, ValueError):
        return None
