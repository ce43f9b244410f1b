"""From the bytes of an upload to an RGB picture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from model_loader.errors import (
    MalformedRequestError,
    TooLargeError,
    UndecodableImageError,
    UnsupportedImageError,
)

MAX_PIXELS = 80_000_000
"""Pixels of the largest picture that is decoded: 80 megapixels are 240 MB as RGB."""

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
        UndecodableImageError: The file is damaged, or of a pixel type that has no fixed range.
        TooLargeError: The picture has more than ``MAX_PIXELS``; it is not decoded.
    """
    if not data:
        raise MalformedRequestError("The file is empty (0 bytes). Send an image file.")
    image = _open(data)
    _check_pixels(image.width, image.height)
    try:
        image.load()
        return _to_rgb(_upright(image))
    except UndecodableImageError:
        raise
    except Exception as error:
        # Pillow's decoders raise whatever the bytes provoke: OSError, SyntaxError, ValueError,
        # struct.error, zlib.error, EOFError … All of them mean that this file is damaged.
        raise UndecodableImageError(
            f"The {image.format} image of {image.width} × {image.height} pixels is damaged or cut "
            f"short ({error}). Send the file again, or save it anew in an image editor."
        ) from error


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


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:
        # Damaged EXIF data says nothing about the pixels, which are whole.
        return image
    return ImageOps.exif_transpose(image) if orientation in range(2, 9) else image


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
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    levels = np.asarray(image).astype(np.uint16)
    return Image.fromarray((levels >> 8).astype(np.uint8)).convert("RGB")
