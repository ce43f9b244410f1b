"""From the bytes of an upload to an RGB picture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from model_loader.errors import (
    InputError,
    MalformedRequestError,
    TooLargeError,
    UndecodableImageError,
    UnsupportedImageError,
)
from model_loader.jpeg_scans import MAX_SCANS, has_too_many_scans

MAX_PIXELS = 50_000_000
"""Pixels of the largest picture that is decoded. 50 megapixels are 150 MB as RGB; a transparent
one takes three times as much for a moment."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""The formats that are taken, by Pillow's names."""

_SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "TIFF": (b"II*\x00", b"MM\x00*"),
}

_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright."""

_BITS_PER_SAMPLE_TAG = 258
_PHOTOMETRIC_TAG = 262
_WHITE_IS_ZERO = 0
_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
_THIRTY_TWO_BIT_MODES = ("I", "F")


def decode_image(data: bytes) -> Image.Image:
    """Decode a JPEG, PNG, WebP, GIF (its first frame), BMP or TIFF.

    The EXIF orientation is applied; palette, grey, CMYK and 16-bit pictures become RGB;
    transparent pixels are laid on white.

    Args:
        data: A whole file.

    Returns:
        An upright picture of mode RGB.

    Raises:
        MalformedRequestError: There are no bytes.
        UnsupportedImageError: The bytes are of none of these formats.
        UndecodableImageError: The file is damaged, of a pixel type that has no fixed range, or a
            JPEG made to be slow.
        TooLargeError: The picture has more than ``MAX_PIXELS``; it is not decoded.
    """
    if not data:
        raise MalformedRequestError("The file is empty (0 bytes). Send an image file.")
    image = _open(data)
    _check_pixels(image.width, image.height)
    if image.format == "JPEG" and has_too_many_scans(data):
        raise UndecodableImageError(
            f"The JPEG has more than {MAX_SCANS} scans, which no camera writes and which take long "
            "to decode. Save it anew in an image editor."
        )
    try:
        turn = _turn(image)
        image.load()
        image = _to_rgb(image)
        return image if turn is None else image.transpose(turn)
    except UndecodableImageError:
        raise
    except Exception as error:
        # Pillow's decoders raise whatever the bytes provoke: OSError, SyntaxError, ValueError,
        # struct.error, zlib.error, EOFError … All of them mean that this file is damaged.
        raise UndecodableImageError(
            f"The {image.format} image of {image.width} × {image.height} pixels is damaged or cut "
            f"short ({error}). Send the file again, or save it anew in an image editor."
        ) from error


def count_pixels(data: bytes) -> int:
    """Return the number of pixels that a file's header promises; 0 where it cannot be read."""
    try:
        width, height = _open(data).size
    except InputError:
        return 0
    return width * height


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLargeError(_too_many_pixels("far more")) from error
    except UnidentifiedImageError as error:
        looks_like = _format_by_signature(data)
        if looks_like is None:
            raise UnsupportedImageError(
                "The file is not an image that can be read here. Send a JPEG, PNG, WebP, GIF, "
                "BMP or TIFF; the content counts, not the file's name."
            ) from error
        raise UndecodableImageError(
            f"The file begins like a {looks_like} image, but its header is damaged or cut short. "
            "Send the file again, or save it anew in an image editor."
        ) from error
    except Exception as error:
        # As above: what a header can provoke has no fixed list of exceptions.
        raise UndecodableImageError(
            f"The image's header is damaged ({error}). "
            "Send the file again, or save it anew in an image editor."
        ) from error


def _format_by_signature(data: bytes) -> str | None:
    for name, signatures in _SIGNATURES.items():
        if data.startswith(signatures):
            return name
    return "WebP" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise TooLargeError(
            _too_many_pixels(f"{width} × {height} = {width * height / 1e6:,.0f} million")
        )


def _too_many_pixels(found: str) -> str:
    return (
        f"The image has {found} pixels; at most {MAX_PIXELS / 1e6:.0f} million are taken. "
        "Scale it down before sending it."
    )


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        # Damaged EXIF data says nothing about the pixels, which are whole.
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in _SIXTEEN_BIT_MODES:
        return _from_sixteen_bits(image)
    if image.mode in _THIRTY_TWO_BIT_MODES:
        raise UndecodableImageError(
            f"The image has 32-bit pixels (Pillow's mode {image.mode}), whose black and white are "
            "not defined. Save it with 8 or 16 bits a channel."
        )
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    levels = np.asarray(image).astype(np.uint16)
    bits, white_is_zero = _tiff_levels(image)
    grey = (levels >> (bits - 8)).astype(np.uint8)
    if white_is_zero:
        grey = 255 - grey
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[levels == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _tiff_levels(image: Image.Image) -> tuple[int, bool]:
    """Return the bits that are used of 16, and whether 0 is white: TIFF leaves both open."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE_TAG, (16,))
    return int(bits[0]), tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO
