"""The supported formats: recognised by a file's first bytes, read by Pillow's reader of each.

``PIL.Image.open`` would import the readers of five formats for the first image, and of all forty
for the first WebP. It would also take a JPEG with a second image inside (MPO, which many phones
and drones write) for a format of its own, which cannot be shrunk while it is decoded.
"""

from __future__ import annotations

from importlib import import_module

from PIL.ImageFile import ImageFile

from model_loader.image.essentials import Buffer, Essentials, open_pieces

_FORMATS = {
    "JPEG": ("Jpeg", (b"\xff\xd8\xff",)),
    "PNG": ("Png", (b"\x89PNG\r\n\x1a\n",)),
    "WEBP": ("WebP", (b"RIFF",)),
    "GIF": ("Gif", (b"GIF87a", b"GIF89a")),
    "BMP": ("Bmp", (b"BM",)),
    "TIFF": ("Tiff", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")),
}
# By Pillow's name: the reader's name in Pillow, and the bytes that files begin with. The module of
# this package that reads a format has its name in lower case.

FORMATS = tuple(_FORMATS)
"""The formats by Pillow's names."""

_SIGNATURE_BYTES = 12


def format_of(data: Buffer) -> str | None:
    """Return the format of a file, one of ``FORMATS``, by its first bytes; None for any other."""
    beginning = data[:_SIGNATURE_BYTES]
    for name, (_, signatures) in _FORMATS.items():
        if beginning.startswith(signatures):
            return name if name != "WEBP" or beginning[8:12] == b"WEBP" else None
    return None


def read_essentials(data: Buffer, format_: str) -> Essentials:
    """Keep the parts of a file of one of ``FORMATS`` that its pixels need.

    Raises:
        DamagedError: The parts do not fit together, or are made to be slow.
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
    reader, _ = _FORMATS[format_]
    open_file = getattr(import_module(f"PIL.{reader}ImagePlugin"), f"{reader}ImageFile")
    image: ImageFile = open_file(open_pieces(data, essentials.pieces))
    return image
