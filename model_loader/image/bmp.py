"""BMP: a header and rows of pixels."""

from __future__ import annotations

from model_loader.image.essentials import Buffer, Essentials

_COMPRESSION = slice(30, 34)
_RUN_LENGTHS = (1, 2)  # of 8 and of 4 bits
_COST_OF_PIXEL, _COST_OF_BYTE = 3, 10
# Pillow's decoder of run lengths is written in Python.


def read_essentials(data: Buffer) -> Essentials:
    """Keep the whole file; the cost of decoding depends on the compression."""
    is_core_header = int.from_bytes(data[14:18], "little") == 12
    compression = int.from_bytes(data[_COMPRESSION], "little")
    if is_core_header or compression not in _RUN_LENGTHS:
        return Essentials([range(len(data))])
    width, height = (
        abs(int.from_bytes(data[at : at + 4], "little", signed=True)) for at in (18, 22)
    )
    cost = _COST_OF_PIXEL * width * height + _COST_OF_BYTE * len(data)
    return Essentials([range(len(data))], cost=cost)
