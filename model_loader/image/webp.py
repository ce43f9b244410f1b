"""WebP: a RIFF container of chunks, each with its kind and length in front."""

from __future__ import annotations

from model_loader.image.essentials import MAX_PARTS, Buffer, DamagedError, Essentials
from model_loader.image.orientation import find_turn

_RIFF_BYTES = 12
_FIRST_FRAME = (b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L")


def read_essentials(data: Buffer) -> Essentials:
    """Keep the chunks that make up the first frame.

    Raises:
        DamagedError: There are more than ``MAX_PARTS`` chunks.
    """
    kept: dict[bytes, range] = {}
    metadata: dict[bytes, bytes] = {}
    position = _RIFF_BYTES
    for _ in range(MAX_PARTS):
        head = data[position : position + 8]
        if len(head) < 8:
            break
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        end = position + 8 + size
        if kind in _FIRST_FRAME:
            kept.setdefault(kind, range(position, min(end + size % 2, len(data))))
        elif kind in (b"EXIF", b"XMP "):
            metadata.setdefault(kind, data[position + 8 : end])
        position = end + size % 2
    else:
        raise DamagedError(f"more than {MAX_PARTS:,} chunks")
    length = 4 + sum(map(len, kept.values()))
    head = b"RIFF" + length.to_bytes(4, "little") + b"WEBP"
    turn = find_turn(metadata.get(b"EXIF"), metadata.get(b"XMP "))
    return Essentials([head, *kept.values()], turn)
