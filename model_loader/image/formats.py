"""The supported formats: recognised by a file's first bytes, read by Pillow's reader of each.

``PIL.Image.open`` would import the readers of five formats for the first image, and of all forty
for the first WebP. It would also take a JPEG with a second image inside (MPO, which many phones
and drones write) for a format of its own, which cannot be shrunk while it is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from PIL.ImageFile import ImageFile

from model_loader.image.essentials import Buffer, Essentials, open_pieces


@dataclass(frozen=True)
class Format:
    """A format. Its reader's name in lower case is that of the module here that reads it, too.

    Attributes:
        title: Its name as people write it.
        reader: The name of Pillow's reader.
        signatures: What its files begin with.
        suffixes: Those of its files' names; the first is the usual one.
        media_types: The first is the usual one.
        codec: The library that decodes it, by Pillow's name; None for Pillow itself.
    """

    title: str
    reader: str
    signatures: tuple[bytes, ...]
    suffixes: tuple[str, ...]
    media_types: tuple[str, ...]
    codec: str | None = None


FORMATS = {
    "JPEG": Format(
        "JPEG",
        "Jpeg",
        (b"\xff\xd8\xff",),
        (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp"),
        ("image/jpeg", "image/jpg"),
        "jpg",
    ),
    "PNG": Format("PNG", "Png", (b"\x89PNG\r\n\x1a\n",), (".png", ".apng"), ("image/png",), "zlib"),
    "WEBP": Format("WebP", "WebP", (b"RIFF",), (".webp",), ("image/webp",), "webp"),
    "GIF": Format("GIF", "Gif", (b"GIF87a", b"GIF89a"), (".gif",), ("image/gif",)),
    "BMP": Format("BMP", "Bmp", (b"BM",), (".bmp", ".dib"), ("image/bmp", "image/x-ms-bmp")),
    "TIFF": Format(
        "TIFF",
        "Tiff",
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0"),
        (".tif", ".tiff"),
        ("image/tiff",),
        "libtiff",
    ),
}
"""The supported formats by Pillow's names."""

*_FIRST, _LAST = (known.title for known in FORMATS.values())
ONE_OF_THEM = f"{', '.join(_FIRST)} or {_LAST}"

_SIGNATURE_BYTES = 12


def format_of(data: Buffer) -> str | None:
    """Return the format of a file, one of ``FORMATS``, by its first bytes; None for any other."""
    beginning = data[:_SIGNATURE_BYTES]
    for name, known in FORMATS.items():
        if beginning.startswith(known.signatures):
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
    reader = FORMATS[format_].reader
    open_file = getattr(import_module(f"PIL.{reader}ImagePlugin"), f"{reader}ImageFile")
    image: ImageFile = open_file(open_pieces(data, essentials.pieces))
    return image
