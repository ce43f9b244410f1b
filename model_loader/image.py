"""From the bytes of an upload to an RGB picture."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

from model_loader.errors import (
    InputError,
    MalformedRequestError,
    TooLargeError,
    UndecodableImageError,
    UnsupportedImageError,
)
from model_loader.formats import format_of, open_image
from model_loader.jpeg_scans import MAX_SCANS, MEANS_ALONE, has_too_many_scans, without_detail
from model_loader.rgb import to_rgb

MAX_PIXELS = 50_000_000
"""Pixels of the largest picture that is decoded. 50 megapixels are 150 MB as RGB; a transparent
one takes three times as much for a moment."""

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

_SIDEWAYS = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


SCALES = (8, 4, 2)
"""What a picture can be shrunk by while it is decoded: what JPEG's blocks of 8 × 8 allow."""


@dataclass(frozen=True)
class EncodedImage:
    """A JPEG, PNG, WebP, GIF, BMP or TIFF of which the header alone has been read.

    Attributes:
        format: One of ``model_loader.formats.FORMATS``.
        size: The upright picture's (width, height) in pixels.
    """

    format: str
    size: tuple[int, int]
    _data: bytes
    _turn: Image.Transpose | None

    @classmethod
    def read(cls, data: bytes) -> EncodedImage:
        """Read a file's header.

        Args:
            data: A whole file.

        Raises:
            MalformedRequestError: There are no bytes.
            UnsupportedImageError: The bytes are of none of these formats.
            UndecodableImageError: The header is damaged, or it is a JPEG made to be slow.
            TooLargeError: The picture has more than ``MAX_PIXELS``.
        """
        if not data:
            raise MalformedRequestError("The file is empty (0 bytes). Send an image file.")
        image = _open(data)
        _check_pixels(*image.size)
        if image.format == "JPEG" and has_too_many_scans(data):
            raise UndecodableImageError(
                f"The JPEG has more than {MAX_SCANS} scans, which no camera writes and which take "
                "long to decode. Save it anew in an image editor."
            )
        turn = _turn(image)
        width, height = image.size
        size = (height, width) if turn in _SIDEWAYS else (width, height)
        return cls(image.format or "", size, data, turn)

    def scale_for(self, needed: tuple[int, int]) -> int:
        """Return by how much the picture can be shrunk and still have this (width, height)."""
        room = min(has // needs for has, needs in zip(self.size, needed, strict=True))
        return next((scale for scale in SCALES if scale <= room), 1)

    def decode(self, scale: int = 1) -> Image.Image:
        """Decode the picture: a GIF's first frame, upright, in RGB, transparency laid on white.

        Args:
            scale: 1, or one of ``SCALES``: the sides are divided by it and rounded up. A JPEG is
                then decoded in a fraction of the time and memory.

        Raises:
            UndecodableImageError: The file is damaged, or of a pixel type that has no fixed range.
        """
        image = _open(self._data)
        try:
            if scale > 1 and self.format == "JPEG":
                image = _draft(image, self._data, scale)
            image.load()
            rgb = to_rgb(image)
            if scale > 1 and self.format != "JPEG":
                rgb = rgb.reduce(scale)
            return rgb if self._turn is None else rgb.transpose(self._turn)
        except UndecodableImageError:
            raise
        except Exception as error:
            # Pillow's decoders raise whatever the bytes provoke: OSError, SyntaxError, ValueError,
            # struct.error, zlib.error, EOFError … All of them mean that this file is damaged.
            width, height = self.size
            raise UndecodableImageError(
                f"The {self.format} image of {width} × {height} pixels is damaged or cut short "
                f"({error}). Send the file again, or save it anew in an image editor."
            ) from error


def decode_image(data: bytes) -> Image.Image:
    """Decode every pixel of a file; see ``EncodedImage`` for what it raises."""
    return EncodedImage.read(data).decode()


def count_pixels(data: bytes) -> int:
    """Return the number of pixels that a file's header promises; 0 where it cannot be read."""
    try:
        width, height = _open(data).size
    except InputError:
        return 0
    return width * height


def _draft(jpeg: Image.Image, data: bytes, scale: int) -> Image.Image:
    """Return a JPEG that is shrunk by ``scale`` while it is decoded."""
    if scale == MEANS_ALONE and jpeg.info.get("progressive"):
        jpeg = _open(without_detail(data))
    jpeg.draft(None, (jpeg.width // scale, jpeg.height // scale))
    return jpeg


def _open(data: bytes) -> Image.Image:
    try:
        return open_image(io.BytesIO(data))
    except UnsupportedImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLargeError(_too_many_pixels("far more pixels than are taken")) from error
    except Exception as error:
        raise UndecodableImageError(
            f"The file begins like a {format_of(data)} image, but its header is damaged or cut "
            f"short ({error}). Send the file again, or save it anew in an image editor."
        ) from error


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        found = f"{width} × {height} = {width * height / 1e6:,.0f} million pixels"
        raise TooLargeError(_too_many_pixels(found))


def _too_many_pixels(found: str) -> str:
    return (
        f"The image has {found}; at most {MAX_PIXELS / 1e6:.0f} million are taken. "
        "Scale it down before sending it."
    )


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        # Damaged EXIF data says nothing about the pixels, which are whole.
        return None
