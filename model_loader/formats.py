"""The formats that are taken: known by a file's first bytes, read by Pillow's reader of each.

``PIL.Image.open`` would import the readers of five formats for the first picture, and of all forty
for the first WebP. It would also take a JPEG with a second picture inside (MPO, which many
telephones and drones write) for a format of its own, and what JPEGs alone can do would be lost.
"""

from __future__ import annotations

from importlib import import_module
from typing import BinaryIO

from PIL import Image

from model_loader.errors import UnsupportedImageError

_READERS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "JPEG": ("Jpeg", (b"\xff\xd8\xff",)),
    "PNG": ("Png", (b"\x89PNG\r\n\x1a\n",)),
    "WEBP": ("WebP", (b"RIFF",)),
    "GIF": ("Gif", (b"GIF87a", b"GIF89a")),
    "BMP": ("Bmp", (b"BM",)),
    "TIFF": ("Tiff", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")),
}

FORMATS = tuple(_READERS)
"""The formats by Pillow's names."""

SIGNATURE_BYTES = 12
"""Of a file's beginning, which tell its format."""


def format_of(beginning: bytes) -> str | None:
    """Return the format of a file, one of ``FORMATS``, by its first bytes; None for any other."""
    for name, (_, signatures) in _READERS.items():
        if beginning.startswith(signatures) and (name != "WEBP" or beginning[8:12] == b"WEBP"):
            return name
    return None


def open_image(file: BinaryIO) -> Image.Image:
    """Read a file's header; its pixels follow when they are needed, unless the file is closed.

    Args:
        file: At its beginning.

    Raises:
        UnsupportedImageError: It is of none of these formats.
        PIL.Image.DecompressionBombError: The header of a WebP or GIF promises far too many pixels;
            of other formats the size tells.
        Exception: The header is damaged. What Pillow's readers raise then has no fixed list.
    """
    name = format_of(file.read(SIGNATURE_BYTES))
    if name is None:
        raise UnsupportedImageError(
            "The file is not an image that can be read here. Send a JPEG, PNG, WebP, GIF, BMP or "
            "TIFF; the content counts, not the file's name."
        )
    file.seek(0)
    reader = _READERS[name][0]
    image: Image.Image = getattr(import_module(f"PIL.{reader}ImagePlugin"), f"{reader}ImageFile")(
        file
    )
    return image
