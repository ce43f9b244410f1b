"""An image stands upright, whatever its format, and however its file says which way that is."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.Image import Transpose
from PIL.PngImagePlugin import PngInfo

from model_loader import EncodedImage
from model_loader.image.essentials import FileBytes
from tests.support.costly_files import chunk
from tests.support.images import decode_image, encode
from training.data.headers import read_header
from training.data.table import LabelledImage

ORIENTATION = 0x0112

STORED = {
    1: None,
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}
"""How a camera stores an upright image that it gives an orientation."""


def upright() -> Image.Image:
    """Return a 320 × 160 image whose corners differ."""
    corners = Image.new("RGB", (2, 2))
    for x, y, colour in ((0, 0, "red"), (1, 0, "lime"), (0, 1, "blue"), (1, 1, "white")):
        corners.paste(colour, (x, y, x + 1, y + 1))
    return corners.resize((320, 160), Image.Resampling.NEAREST)


def stored(orientation: int) -> Image.Image:
    turn = STORED[orientation]
    return upright() if turn is None else upright().transpose(turn)


def exif(orientation: int, order: str = ">", kind: int = 3, before: bytes = b"") -> bytes:
    """Return EXIF data with one tag, behind others."""
    value = struct.pack(f"{order}H2x" if kind == 3 else f"{order}L", orientation)
    count = len(before) // 12 + 1
    head = b"MM\0*" if order == ">" else b"II*\0"
    entry = struct.pack(f"{order}HHL", ORIENTATION, kind, 1) + value
    return head + struct.pack(f"{order}LH", 8, count) + before + entry + bytes(4)


def xmp(orientation: int) -> bytes:
    return f'<x:xmpmeta><rdf tiff:Orientation="{orientation}"/></x:xmpmeta>'.encode()


def with_exif(format: str, **options: object) -> Callable[[int], bytes]:
    def make(orientation: int) -> bytes:
        return encode(stored(orientation), format, exif=b"Exif\0\0" + exif(orientation), **options)

    return make


def with_tag(**options: object) -> Callable[[int], bytes]:
    def make(orientation: int) -> bytes:
        return encode(stored(orientation), "TIFF", tiffinfo={ORIENTATION: orientation}, **options)

    return make


def png_with_a_late_chunk(orientation: int) -> bytes:
    whole = encode(stored(orientation), "PNG")
    return whole[:-12] + chunk(b"eXIf", exif(orientation)) + whole[-12:]


def png_of_image_magick(kind: bytes) -> Callable[[int], bytes]:
    def make(orientation: int) -> bytes:
        data = b"Exif\0\0" + exif(orientation)
        text = f"\nexif\n{len(data):8}\n{data.hex()}\n".encode()
        packed = b"\0" + zlib.compress(text) if kind == b"zTXt" else text
        whole = encode(stored(orientation), "PNG")
        return whole[:33] + chunk(kind, b"Raw profile type exif\0" + packed) + whole[33:]

    return make


def png_with_xmp(orientation: int) -> bytes:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp(orientation).decode())
    return encode(stored(orientation), "PNG", pnginfo=info)


FILES: dict[str, Callable[[int], bytes]] = {
    "JPEG": with_exif("JPEG", quality=95),
    "JPEG, progressive": with_exif("JPEG", progressive=True, quality=95),
    "JPEG, little-endian": lambda o: encode(
        stored(o), "JPEG", exif=b"Exif\0\0" + exif(o, "<"), quality=95
    ),
    "JPEG, 32 bits": lambda o: encode(
        stored(o), "JPEG", exif=b"Exif\0\0" + exif(o, "<", 4), quality=95
    ),
    "JPEG of a phone": with_exif("MPO", save_all=True, append_images=[upright()], quality=95),
    "JPEG, XMP": lambda o: encode(stored(o), "JPEG", xmp=xmp(o), quality=95),
    "PNG": with_exif("PNG"),
    "PNG, behind the pixels": png_with_a_late_chunk,
    "PNG, text": png_of_image_magick(b"tEXt"),
    "PNG, packed text": png_of_image_magick(b"zTXt"),
    "PNG, XMP": png_with_xmp,
    "WebP": with_exif("WEBP", quality=95),
    "WebP, lossless": with_exif("WEBP", lossless=True),
    "WebP, animated": lambda o: encode(
        stored(o),
        "WEBP",
        exif=exif(o),
        lossless=True,
        save_all=True,
        append_images=[Image.new("RGB", stored(o).size)],
    ),
    "WebP, XMP": lambda o: encode(stored(o), "WEBP", xmp=xmp(o), lossless=True),
    "TIFF": with_tag(),
    "TIFF, LZW": with_tag(compression="tiff_lzw"),
    "TIFF, deflate": with_tag(compression="tiff_adobe_deflate"),
    "TIFF, JPEG": with_tag(compression="jpeg", quality=95),
    "TIFF, big": with_tag(big_tiff=True),
    "TIFF, frames": with_tag(save_all=True, append_images=[Image.new("RGB", (9, 9))]),
    "TIFF, XMP": lambda o: encode(stored(o), "TIFF", tiffinfo={700: xmp(o)}),
}
"""By format, and by what tells the orientation."""

files = pytest.mark.parametrize("make", FILES.values(), ids=FILES)
orientations = pytest.mark.parametrize("orientation", STORED)


def difference(some: Image.Image, others: Image.Image) -> float:
    return float(np.abs(np.asarray(some, float) - np.asarray(others, float)).mean())


@files
@orientations
def test_an_image_is_decoded_upright(make: Callable[[int], bytes], orientation: int) -> None:
    image = decode_image(make(orientation))
    assert image.size == (320, 160)
    assert difference(image, upright()) < 8


@files
@orientations
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_so_it_is_where_it_is_shrunk_while_it_is_decoded(
    make: Callable[[int], bytes], orientation: int, scale: int
) -> None:
    size = (320 // scale, 160 // scale)
    image = EncodedImage.read(make(orientation)).decode(size)
    assert image.size == size
    assert difference(image, upright().reduce(scale)) < 8


@files
@orientations
def test_the_sizes_that_a_header_tells_are_those_of_the_upright_image(
    make: Callable[[int], bytes], orientation: int, tmp_path: Path
) -> None:
    path = tmp_path / "image"
    path.write_bytes(make(orientation))
    header = read_header(tmp_path, LabelledImage("image", "a"))
    assert (header.width, header.height, header.problem) == (320, 160, None)
    with path.open("rb") as file:
        found, whole = EncodedImage.read(FileBytes(file)), EncodedImage.read(path.read_bytes())
        assert (found.format, found.size, found.mode, found.cost) == (
            whole.format,
            whole.size,
            whole.mode,
            whole.cost,
        )


@pytest.mark.parametrize("format", ["GIF", "BMP"])
def test_a_format_that_has_no_orientation_is_upright(format: str) -> None:
    assert difference(decode_image(encode(upright(), format)), upright()) < 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"MM",
        b"MM\0*\0\0\xff\xff",
        b"MM\0*\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"nonsense, and more of it",
        exif(0),
        exif(9),
        exif(6, kind=12),
    ],
)
def test_damaged_exif_data_does_not_matter(format: str, damaged: bytes) -> None:
    data = encode(stored(1), format, exif=b"Exif\0\0" + damaged)
    assert difference(decode_image(data), upright()) < 8


@pytest.mark.parametrize("tag", [0x00FE, 0x010F])
def test_an_orientation_counts_beside_other_tags(tag: int) -> None:
    text = struct.pack(">HHI4s", tag, 2, 4, b"abc\0")
    data = encode(stored(6), "JPEG", exif=b"Exif\0\0" + exif(6, before=text), quality=95)
    assert difference(decode_image(data), upright()) < 8


def test_exif_data_counts_more_than_xmp() -> None:
    data = encode(stored(6), "JPEG", exif=b"Exif\0\0" + exif(6), xmp=xmp(3), quality=95)
    assert difference(decode_image(data), upright()) < 8
