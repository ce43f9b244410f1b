"""GIF: a screen, its palette, and blocks; the first image block is the first frame."""

from __future__ import annotations

from model_loader.image.essentials import MAX_PARTS, Buffer, DamagedError, Essentials

_SCREEN_BYTES = 13
_IMAGE, _EXTENSION, _PADDING, _CONTROL = b",", b"!", b"\0", b"\xf9"
_HAS_PALETTE, _PALETTE_SIZE = 0x80, 0x07


def read_essentials(data: Buffer) -> Essentials:
    """Keep the screen, the first frame and the extension that says what in it is transparent.

    Raises:
        DamagedError: There is no frame, or there are more than ``MAX_PARTS`` blocks before it.
    """
    flags = int.from_bytes(data[10:11])
    start = _SCREEN_BYTES
    if flags & _HAS_PALETTE:
        start += 3 * 2 ** ((flags & _PALETTE_SIZE) + 1)
    control = range(0)
    position = start
    for _ in range(MAX_PARTS):
        kind = data[position : position + 1]
        if kind == _IMAGE:
            return Essentials([range(start), control, range(position, len(data))])
        if kind == _EXTENSION:
            begin, position = position, _behind_extension(data, position)
            if data[begin + 1 : begin + 2] == _CONTROL:
                control = range(begin, position)
        elif kind == _PADDING:
            position += 1
        else:
            break
    raise DamagedError(f"no frame within its first {MAX_PARTS:,} blocks")


def _behind_extension(data: Buffer, position: int) -> int:
    """Return the position behind an extension: a kind, and blocks up to an empty one."""
    position += 2
    for _ in range(MAX_PARTS):
        size = int.from_bytes(data[position : position + 1])
        position += 1 + size
        if not size:
            return position
    raise DamagedError(f"more than {MAX_PARTS:,} blocks in an extension")
