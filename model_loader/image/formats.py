"""The formats that are taken: known by a file's first bytes, read by Pillow's reader of each.

``PIL.Image.open`` would import the readers of five formats for the first image, and of all forty
for the first WebP. It would also take a JPEG with a second image inside (MPO, which many
telephones and drones write) for a format of its own, and what JPEGs alone can do would be lost.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from PIL.ImageFile import ImageFile

from model_loader.image.essentials import Buffer, Essentials, open_pieces


class _Format(NamedTuple):
    """How one format is known and read.

    Attributes:
        reader: The name of Pillow's reader; ours is the module of the format's own name.
        signatures: What its files begin with.
    """

    reader: str
    signatures: tuple[bytes, ...]


_FORMATS = {
    "JPEG": _Format("Jpeg", (b"\xff\xd8\xff",)),
    "PNG": _Format("Png", (b"\x89PNG\r\n\x1a\n",)),
    "WEBP": _Format("WebP", (b"RIFF",)),
    "GIF": _Format("Gif", (b"GIF87a", b"GIF89a")),
    "BMP": _Format("Bmp", (b"BM",)),
    "TIFF": _Format("Tiff", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")),
}

FORMATS = tuple(_FORMATS)
"""The formats by Pillow's names."""

_SIGNATURE_BYTES = 12


def format_of(data: Buffer) -> str | None:
    """Return the format of a file, one of ``FORMATS``, by its first bytes; None for any other."""
    beginning = data[:_SIGNATURE_BYTES]
    for name, format_ in _FORMATS.items():
        if beginning.startswith(format_.signatures):
            return name if name != "WEBP" or beginning[8:12] == b"WEBP" else None
    return None


def read_essentials(data: Buffer, format_: str) -> Essentials:
    """Go through the parts of a file of one of ``FORMATS``, and keep what its pixels need.

    Raises:
        DamagedError: They do not fit together, or are made to be slow.
    """
    module = import_module(f"model_loader.image.{format_.lower()}")
    essentials: Essentials = module.read_essentials(data)
    return essentials


def open_image(data: Buffer, format_: str, essentials: Essentials) -> ImageFile:
    """Read the header of a file's essentials; the pixels follow when they are needed.

    Raises:
        PIL.Image.DecompressionBombError: The header of a WebP or GIF promises far too many pixels;
            of other formats the size tells.
        Exception: The header is damaged. What Pillow's readers raise then has no fixed list.
    """
    reader = _FORMATS[format_].reader
    open_file = getattr(import_module(f"PIL.{reader}ImagePlugin"), f"{reader}ImageFile")
    image: ImageFile = open_file(open_pieces(data, essentials.pieces))
    return image
