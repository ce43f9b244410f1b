"""Operations on images: which size each makes, which it needs, and what it makes of an image.

Those that torchvision also has match its results on PIL images (``Resize``, ``CenterCrop``,
``ToTensor``, ``Normalize``) without importing torchvision.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeGuard

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pixels: TypeAlias = "NDArray[np.float32]"

SPARE = 1.5
"""An image that is resampled is decoded with this many times the pixels that each side gets: fewer
would blur it, more cost time. The benchmark ``agreement`` measures what that changes."""

_LARGEST = 4096
# Pixels of the longest side that a transform may ask for.


@dataclass(frozen=True)
class ImageOp(ABC):
    """One operation from RGB image to RGB image; its fields are its values in ``model.json``."""

    op: ClassVar[str]

    @abstractmethod
    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) in pixels that an image of this size gets."""

    @abstractmethod
    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the changed image."""

    def needed_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the smallest (width, height) at which an image of this size may be decoded.

        An operation that cuts or pads needs every pixel.
        """
        return width, height


class _Resample(ImageOp):
    """Bilinear with antialiasing, to ``output_size``."""

    def needed_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the size that this operation makes, with pixels to spare."""
        width, height = self.output_size(width, height)
        return math.ceil(SPARE * width), math.ceil(SPARE * height)

    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the resized image."""
        size = self.output_size(*image.size)
        return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class _ToSize(ImageOp):
    """Makes images of ``height`` × ``width`` pixels."""

    height: int
    width: int

    def __post_init__(self) -> None:
        """Refuse sizes that no network takes."""
        if not (_is_size(self.height) and _is_size(self.width)):
            raise ValueError("height and width must be whole numbers from 1 to 4096")

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Return this operation's own size, whatever the image's."""
        return self.width, self.height


@dataclass(frozen=True)
class Resize(_ToSize, _Resample):
    """Resize to exactly ``height`` × ``width`` pixels; the aspect ratio is not kept."""

    op: ClassVar[str] = "resize"


@dataclass(frozen=True)
class Pad(_ToSize):
    """Centre an image that is smaller on a side on a black one.

    A side that is long enough stays as it is. An odd pixel goes to the right and below, as in
    torchvision's ``CenterCrop``.
    """

    op: ClassVar[str] = "pad"

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the image's size, each side at least this operation's."""
        return max(width, self.width), max(height, self.height)

    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the padded image."""
        size = self.output_size(*image.size)
        if size == image.size:
            return image
        padded = Image.new("RGB", size)
        padded.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
        return padded


@dataclass(frozen=True)
class CenterCrop(_ToSize):
    """Cut ``height`` × ``width`` pixels from the middle; equal to torchvision's ``CenterCrop``.

    An image that is smaller on a side is padded first, as ``Pad`` does.
    """

    op: ClassVar[str] = "center_crop"

    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the cut image."""
        image = Pad(self.height, self.width)(image)
        # round() goes to the even number at .5, as torchvision's does.
        left, top = round((image.width - self.width) / 2), round((image.height - self.height) / 2)
        return image.crop((left, top, left + self.width, top + self.height))


@dataclass(frozen=True)
class Fit(_Resample):
    """Bring an image of any size between two bounds and keep its aspect ratio (for SPP).

    It is enlarged until its shorter side has ``min_side`` pixels, or shrunk until its area is at
    most ``max_pixels``; between the bounds it is left as it is. No single scale brings a ribbon
    (1 × 3000) inside both: then alone the aspect ratio gives way, its shorter side becomes
    ``min_side``, its longer one ``max_pixels // min_side``.
    """

    op: ClassVar[str] = "fit"
    min_side: int
    max_pixels: int

    def __post_init__(self) -> None:
        """Refuse bounds between which no image lies."""
        if not _is_size(self.min_side):
            raise ValueError("min_side must be a whole number from 1 to 4096")
        least = self.min_side**2
        if not (_is_whole(self.max_pixels) and least <= self.max_pixels <= _LARGEST**2):
            raise ValueError(
                f"max_pixels must be a whole number from min_side squared ({least}) to "
                f"{_LARGEST**2}"
            )

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the size inside both bounds."""
        short, long = sorted((width, height))
        if short < self.min_side:
            short, long = self.min_side, round(long * self.min_side / short)
        if short * long > self.max_pixels:
            scale = math.sqrt(self.max_pixels / (width * height))
            short, long = (math.floor(side * scale) for side in sorted((width, height)))
            if short < self.min_side:
                short, long = self.min_side, self.max_pixels // self.min_side
        return (short, long) if width <= height else (long, short)


@dataclass(frozen=True)
class Normalize:
    """Scale 0…255 to 0…1, then ``(x - mean) / std`` for each channel, in R, G, B order."""

    op: ClassVar[str] = "normalize"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Take any sequence of three numbers, as JSON has lists; refuse others."""
        for name in ("mean", "std"):
            values = tuple(float(value) for value in getattr(self, name))
            if len(values) != 3 or not np.isfinite(values).all():
                raise ValueError(f"{name} must be three finite numbers")
            object.__setattr__(self, name, values)
        if min(self.std) <= 0:
            raise ValueError("std must be above zero")

    def __call__(self, image: Image.Image | NDArray[np.uint8]) -> Pixels:
        """Turn an RGB image, or its levels uint8 [H, W, 3], into pixels: float32 [3, H, W]."""
        levels = np.asarray(image).transpose(2, 0, 1)
        pixels = np.empty(levels.shape, dtype=np.float32)
        np.divide(levels, np.float32(255), out=pixels)
        pixels -= np.array(self.mean, dtype=np.float32).reshape(3, 1, 1)
        pixels /= np.array(self.std, dtype=np.float32).reshape(3, 1, 1)
        return pixels


IMAGE_OPS: dict[str, type[ImageOp]] = {kind.op: kind for kind in (Resize, Pad, CenterCrop, Fit)}
"""The image operations by their names in ``model.json``."""


def needed_size(ops: Sequence[ImageOp], width: int, height: int) -> tuple[int, int]:
    """Return the smallest (width, height) at which an image may be decoded for these operations."""
    return ops[0].needed_size(width, height) if ops else (width, height)


def apply_ops(ops: Iterable[ImageOp], image: Image.Image) -> Image.Image:
    """Apply image operations to an RGB image, in order."""
    for op in ops:
        image = op(image)
    return image


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_size(value: object) -> bool:
    return _is_whole(value) and 1 <= value <= _LARGEST
