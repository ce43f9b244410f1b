"""Any picture that people have becomes an upright RGB picture, or an error that helps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from model_loader import (
    ClassifierError,
    EncodedImage,
    MalformedRequestError,
    TooLargeError,
    UndecodableImageError,
    UnsupportedImageError,
    decode_image,
)
from tests.support.costly_files import bmp, strips, tiff_of
from tests.support.images import GIF_BOMB, WEBP_BOMB, encode, halves, noise, png_that_claims


def counting(function: Callable[..., object], calls: list[str]) -> Callable[..., object]:
    """Return a function that notes its name before it is called."""

    def counted(*arguments: object, **more: object) -> object:
        calls.append(function.__name__)
        return function(*arguments, **more)

    return counted


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_format_is_decoded_to_rgb(format: str) -> None:
    image = decode_image(encode(halves(), format))
    assert image.mode == "RGB"
    assert image.size == (40, 20)
    red, blue = (image.crop((x, 10, x + 1, 11)).tobytes() for x in (5, 35))
    assert red[0] > 230
    assert red[2] < 25
    assert blue[2] > 230
    assert blue[0] < 25


def test_a_lossless_picture_keeps_every_level() -> None:
    picture = noise(33, 17)
    assert np.array_equal(np.asarray(decode_image(encode(picture, "PNG"))), np.asarray(picture))


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF"])
def test_the_first_frame_counts(format: str) -> None:
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    options = {"save_all": True, "append_images": [blue]}
    if format == "WEBP":
        options["lossless"] = True
    image = decode_image(encode(red, format, **options))
    assert image.getpixel((4, 4)) == (255, 0, 0)


def test_a_palette_becomes_its_colours() -> None:
    image = decode_image(encode(halves().quantize(2), "PNG"))
    assert image.getpixel((5, 10)) == (255, 0, 0)


def test_grey_becomes_equal_red_green_and_blue() -> None:
    image = decode_image(encode(Image.new("L", (4, 4), 77), "PNG"))
    assert image.getpixel((1, 1)) == (77, 77, 77)


def test_black_and_white_becomes_black_and_white() -> None:
    image = decode_image(encode(Image.new("1", (4, 4), 1), "PNG"))
    assert image.getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGBA", (4, 4), (0, 0, 0, 0)),
        Image.new("LA", (4, 4), (0, 0)),
        Image.new("RGBA", (4, 4), (0, 0, 0, 0)).quantize(2),
    ],
    ids=["colour", "grey", "palette"],
)
def test_transparent_pixels_are_laid_on_white(picture: Image.Image) -> None:
    image = decode_image(encode(picture, "PNG"))
    assert image.getpixel((1, 1)) == (255, 255, 255)


def test_a_colour_that_is_declared_transparent_is_laid_on_white() -> None:
    data = encode(Image.new("RGB", (4, 4), (9, 9, 9)), "PNG", transparency=(9, 9, 9))
    assert decode_image(data).getpixel((1, 1)) == (255, 255, 255)


def test_cmyk_becomes_rgb() -> None:
    image = decode_image(encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"))
    red, green, blue = image.crop((8, 8, 9, 9)).tobytes()
    assert red > 230
    assert green < 40
    assert blue < 40


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_upper_eight(format: str) -> None:
    levels = np.array([[0, 255, 256, 0x8080, 0xFFFF]], dtype=np.uint16)
    image = decode_image(encode(Image.fromarray(levels), format))
    assert np.asarray(image)[0, :, 0].tolist() == [0, 0, 1, 0x80, 0xFF]


def test_sixteen_bit_tiffs_whose_white_is_zero_become_upright_grey() -> None:
    levels = np.array([[0, 0x8080, 0xFFFF]], dtype=np.uint16)
    data = encode(Image.fromarray(levels), "TIFF", tiffinfo={262: 0})
    assert np.asarray(decode_image(data))[0, :, 0].tolist() == [255, 0x7F, 0]


def test_a_sixteen_bit_level_that_is_declared_transparent_is_laid_on_white() -> None:
    levels = np.array([[0x1234, 0x8080]], dtype=np.uint16)
    data = encode(Image.fromarray(levels), "PNG", transparency=0x1234)
    assert np.asarray(decode_image(data))[0, :, 0].tolist() == [255, 0x80]


def test_thirty_two_bit_pixels_are_refused_with_a_way_out() -> None:
    data = encode(Image.new("F", (4, 4), 0.5), "TIFF")
    with pytest.raises(UndecodableImageError, match="Save it with 8 or 16 bits"):
        decode_image(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff_of(4, 4, bytes(64), strips(1, 4, 64), bits=(16, 16)), "unknown pixel mode"),
        (tiff_of(4, 4, bytes(64), strips(1, 4, 64), compression=34712), "34712"),
        (bmp(4, 4, 8, 4, bytes(16)), "Unsupported BMP compression"),
        (bmp(4, 4, 2, 0, bytes(16)), "Unsupported BMP pixel depth"),
    ],
    ids=["TIFF of grey and alpha in 16 bits", "TIFF of JPEG 2000", "BMP of JPEG", "BMP of 2 bits"],
)
def test_a_kind_that_is_not_supported_is_not_called_damaged(data: bytes, reason: str) -> None:
    with pytest.raises(UndecodableImageError, match=f"not supported .*{reason}.*Save it"):
        decode_image(data)


@pytest.mark.parametrize("compression", ["jpeg", "tiff_lzw", "raw"])
def test_a_tiff_of_many_pages_is_its_first_one(compression: str) -> None:
    pages = [Image.new("L", (32, 32), 200), *(Image.new("L", (32, 32)) for _ in range(99))]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression=compression)
    image = decode_image(data)
    assert image.size == (32, 32)
    assert image.getpixel((5, 5)) == (200, 200, 200)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_text_of_many_megabytes_in_a_png_does_not_matter(compressed: bool) -> None:
    info = PngInfo()
    info.add_text("parameters", "prompt " * 600_000, zip=compressed)
    info.add_itxt("XML:com.adobe.xmp", " " * 3_000_000, zip=compressed)
    data = encode(halves(), "PNG", pnginfo=info, icc_profile=bytes(2_000_000))
    assert np.array_equal(np.asarray(decode_image(data)), np.asarray(halves()))


def test_metadata_is_never_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a text " * 2000
    files = [encode(halves(), format, exif=exif) for format in ("JPEG", "PNG", "WEBP")]
    monkeypatch.setattr(Image.Image, "getexif", None)
    for data in files:
        assert decode_image(data).size == (20, 40)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_file_is_opened_once_and_decoded_once(
    format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(noise(64, 48), format, **({} if format in ("GIF", "BMP") else {"exif": exif}))
    calls: list[str] = []
    for name in ("__init__", "load_prepare"):
        original = getattr(ImageFile.ImageFile, name)

        monkeypatch.setattr(ImageFile.ImageFile, name, counting(original, calls))
    encoded = EncodedImage.read(data)
    assert calls == ["__init__"]
    encoded.decode(encoded.scale_for((20, 20)))
    assert calls == ["__init__", "load_prepare"]


def test_a_panorama_of_a_phone_is_a_jpeg() -> None:
    data = encode(halves(), "MPO", save_all=True, append_images=[halves()])
    assert decode_image(data).size == (40, 20)
    assert EncodedImage.read(data).format == "JPEG"


def test_no_bytes_are_no_image() -> None:
    with pytest.raises(MalformedRequestError, match="empty"):
        decode_image(b"")


@pytest.mark.parametrize(
    "data",
    [b"hello, I am a text\n", b"\x00" * 64, b"<svg/>", b"%PDF-1.7", b"RIFF\x00\x00\x00\x00WAVE"],
)
def test_what_is_no_image_is_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedImageError, match="Send a JPEG, PNG"):
        decode_image(data)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_a_file_that_is_cut_short_cannot_be_decoded(format: str, kept: float) -> None:
    data = encode(noise(64, 64), format)
    with pytest.raises(UndecodableImageError, match="Send the file again"):
        decode_image(data[: max(16, int(len(data) * kept))])


# Pillow warns of what it then raises for, or reads over.
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_bytes_give_a_picture_or_an_error_of_ours() -> None:
    generator = np.random.default_rng(0)
    outcomes = set()
    for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        whole = bytearray(encode(noise(24, 24), format))
        for _ in range(150):
            data = bytearray(whole)
            for position in generator.integers(0, len(data), 6):
                data[position] = generator.integers(0, 256)
            try:
                outcomes.add(decode_image(bytes(data)).mode)
            except ClassifierError as error:
                outcomes.add(type(error).__name__)
    assert outcomes >= {"RGB", "UndecodableImageError"}
    assert outcomes <= {"RGB", "UndecodableImageError", "UnsupportedImageError", "TooLargeError"}


@pytest.mark.parametrize("data", [GIF_BOMB, WEBP_BOMB], ids=["GIF", "WebP"])
def test_a_bomb_that_pillow_refuses_is_too_large_and_not_damaged(data: bytes) -> None:
    with pytest.raises(TooLargeError, match="at most 50 million"):
        decode_image(data)


@pytest.mark.parametrize("side", [8_000, 12_000, 20_000])
def test_a_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    with pytest.raises(TooLargeError, match="at most 50 million"):
        decode_image(png_that_claims(side, side))
