"""From a decoded image of any mode to RGB."""

from __future__ import annotations

import numpy as np
from PIL import Image

from model_loader.errors import UndecodableImageError

_BITS_PER_SAMPLE_TAG = 258
_PHOTOMETRIC_TAG = 262
_WHITE_IS_ZERO = 0
_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
_THIRTY_TWO_BIT_MODES = ("I", "F")


def check_mode(mode: str) -> None:
    """Refuse pixels that cannot be turned into RGB.

    Raises:
        UndecodableImageError: They have 32 bits, with no fixed black and white.
    """
    if mode in _THIRTY_TWO_BIT_MODES:
        raise UndecodableImageError(
            f"The image has 32-bit pixels (Pillow's mode {mode}), whose black and white are "
            "not defined. Save it with 8 or 16 bits a channel."
        )


def to_rgb(image: Image.Image) -> Image.Image:
    """Turn palette, grey, CMYK and 16-bit into RGB, and lay what is transparent on white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in _SIXTEEN_BIT_MODES:
        return _from_sixteen_bits(image)
    if image.has_transparency_data:
        return _on_white(image if image.mode == "RGBA" else image.convert("RGBA"))
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
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
