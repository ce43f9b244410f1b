"""An image file whose header has been read, and its decoding."""

from __future__ import annotations

import io
import re
from operator import floordiv
from typing import Any

from PIL import Image
from PIL.ImageFile import ImageFile

from model_loader.errors import (
    MalformedRequestError,
    TooLargeError,
    UndecodableImageError,
    UnsupportedImageError,
)
from model_loader.image.essentials import Buffer, Essentials
from model_loader.image.formats import ONE_OF_THEM, format_of, open_image, read_essentials
from model_loader.image.jpeg import MAX_SCANS, MEANS_ALONE, has_too_many_scans, without_detail
from model_loader.image.orientation import SIDEWAYS
from model_loader.image.rgb import check_mode, to_rgb
from model_loader.limits import MAX_PIXELS, MAX_SIDE

_SCALES = (8, 4, 2)
# Factors by which an image can be shrunk while it is decoded, as JPEG's blocks of 8 × 8 allow.

_UNSUPPORTED = re.compile("unsupported|not yet supported|unknown pixel mode|cannot handle", re.I)
# Words in Pillow's messages about a whole file of a kind that it does not read.


class EncodedImage:
    """An image file whose header has been read.

    Attributes:
        format: One of ``model_loader.image.formats.FORMATS``.
        mode: Pillow's name of the kind of its pixels, such as ``RGB``.
        size: The upright image's (width, height) in pixels.
        cost: The time that decoding takes, in pixels of a slow image; at least the image's own.
    """

    def __init__(
        self, data: Buffer, format_: str, essentials: Essentials, image: ImageFile
    ) -> None:
        """Describe an open image; ``read`` opens one."""
        width, height = image.size
        self.format = format_
        self.mode = image.mode
        self.size = (height, width) if essentials.turn in SIDEWAYS else (width, height)
        self.cost = max(width * height, essentials.cost)
        self._data = data
        self._essentials = essentials
        self._image: ImageFile | None = image
        self._decoded: dict[int, Image.Image] = {}

    @classmethod
    def read(cls, data: Buffer) -> EncodedImage:
        """Read a file's header.

        Args:
            data: A whole file.

        Raises:
            MalformedRequestError: There are no bytes.
            UnsupportedImageError: The bytes are of none of these formats.
            UndecodableImageError: The header is damaged, or of a kind that is not supported.
            TooLargeError: The image has more than ``MAX_PIXELS``, a side of more than ``MAX_SIDE``,
                or takes as long to decode as an image of more than ``MAX_PIXELS`` may.
        """
        if not len(data):
            raise MalformedRequestError("The file is empty (0 bytes). Send an image file.")
        format_ = format_of(data)
        if format_ is None:
            raise UnsupportedImageError(
                f"The file is not an image that can be read here. Send a {ONE_OF_THEM}; the "
                "content counts, not the file's name."
            )
        encoded = cls(data, format_, *_open(data, format_))
        _check_size(*encoded.size, encoded.cost)
        return encoded

    def decode(self, needed: tuple[int, int] | None = None) -> Image.Image:
        """Decode the image: a GIF's first frame, upright, in RGB, transparency laid on white.

        The last result is kept: an image of the same scale is not decoded again.

        Args:
            needed: The smallest (width, height) that is enough; None for every pixel. Where both
                sides have twice as many pixels or more, they are divided by 2, 4 or 8 and rounded
                up. A JPEG is then decoded in a fraction of the time and memory.

        Raises:
            UndecodableImageError: The file is damaged or made to be slow, or its pixels have no
                fixed range.
        """
        room = min(map(floordiv, self.size, needed or self.size))
        scale = next((scale for scale in _SCALES if scale <= room), 1)
        if scale not in self._decoded:
            self._decoded = {scale: self._decode(scale)}
        return self._decoded[scale]

    def _decode(self, scale: int) -> Image.Image:
        image, self._image = self._image, None
        if image is None:  # decoded before, at another scale
            image = open_image(self._data, self.format, self._essentials)
        try:
            check_mode(image.mode)
            if self.format == "JPEG":
                _prepare_jpeg(image, self._data[:], scale)
            image.load()
            if self.format == "WEBP":
                _free_canvases(image)
            rgb = to_rgb(image)
            if scale > 1 and self.format != "JPEG":
                rgb = rgb.reduce(scale)
            turn = self._essentials.turn
            return rgb if turn is None else rgb.transpose(turn)
        except UndecodableImageError:
            raise
        except Exception as error:
            # Pillow's decoders raise whatever the bytes provoke: OSError, SyntaxError, ValueError,
            # struct.error, zlib.error, EOFError … All of them mean that this file is damaged.
            width, height = self.size
            raise UndecodableImageError(
                f"The {self.format} image of {width} × {height} pixels is damaged or cut short "
                f"({error}). Send the file again, or save it again in an image editor."
            ) from error


def _open(data: Buffer, format_: str) -> tuple[Essentials, ImageFile]:
    try:
        essentials = read_essentials(data, format_)
        return essentials, open_image(data, format_, essentials)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLargeError(_too_many("far more pixels than are taken")) from error
    except Exception as error:
        is_unknown_code = isinstance(error.__cause__, KeyError)  # of a TIFF's compression
        if is_unknown_code or _UNSUPPORTED.search(str(error)):
            raise UndecodableImageError(
                f"The {format_} image is of a kind that is not supported ({error}). Save it in an "
                "image editor with 8 bits a channel, or as JPEG or PNG."
            ) from error
        raise UndecodableImageError(
            f"The file begins like a {format_} image, but its header is damaged or cut "
            f"short ({error}). Send the file again, or save it again in an image editor."
        ) from error


def _prepare_jpeg(image: ImageFile, data: bytes, scale: int) -> None:
    """Have a JPEG shrunk while it is decoded; at an eighth its detail is not read."""
    if has_too_many_scans(data):
        raise UndecodableImageError(
            f"The JPEG has more than {MAX_SCANS} scans, which no camera writes and which take "
            "long to decode. Save it again in an image editor."
        )
    if scale == 1:
        return
    if scale == MEANS_ALONE and image.info.get("progressive"):
        image.fp = io.BytesIO(without_detail(data))
    image.draft(None, (image.width // scale, image.height // scale))


def _free_canvases(image: Any) -> None:
    """Free libwebp's decoder, which holds two images of the size of this one."""
    image._decoder = None


def _check_size(width: int, height: int, cost: int) -> None:
    if width * height > MAX_PIXELS:
        found = f"{width} × {height} = {width * height / 1e6:,.0f} million pixels"
        raise TooLargeError(_too_many(found))
    if max(width, height) > MAX_SIDE:
        raise TooLargeError(
            f"The image has {width} × {height} pixels; a side may have at most {MAX_SIDE:,}. "
            "Scale it down before sending it."
        )
    if cost > MAX_PIXELS:
        raise TooLargeError(
            f"The image of {width} × {height} pixels is stored in a way that takes as long to "
            f"decode as {cost / 1e6:,.0f} million pixels; at most {MAX_PIXELS / 1e6:.0f} million "
            "are taken. Save it as JPEG or PNG."
        )


def _too_many(found: str) -> str:
    return (
        f"The image has {found}; at most {MAX_PIXELS / 1e6:.0f} million are taken. "
        "Scale it down before sending it."
    )
