"""Images small enough to be embedded in the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from training.data.table import LabelledImage
from training.errors import TrainingError
from training.pixels.dataset import read_image

SIDE = 160
"""Pixels of a small image's longer side, at most."""

_QUALITY = 72
_METHOD = 4
_SAMPLES = 60
"""Sample images on the page, if there are not more classes than that."""
_MOST_SAMPLES = 8


class Thumbnail(NamedTuple):
    """A small image: its ``data:`` address, and its size in pixels."""

    uri: str
    width: int
    height: int


class Samples(NamedTuple):
    """A few images of one class."""

    label: str
    images: tuple[Thumbnail, ...]


def thumbnail(image: Image.Image, side: int = SIDE) -> Thumbnail:
    """Return an image scaled down, never up, as WebP."""
    small = shrink(image, side)
    written = io.BytesIO()
    small.save(written, "WEBP", quality=_QUALITY, method=_METHOD)
    code = base64.b64encode(written.getvalue()).decode()
    return Thumbnail(f"data:image/webp;base64,{code}", small.width, small.height)


def shrink(image: Image.Image, side: int = SIDE) -> Image.Image:
    """Return a copy of an image whose longer side is at most ``side``."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def choose_samples(
    rows: Sequence[LabelledImage], root: Path, labels: Sequence[str], seed: int
) -> list[Samples]:
    """Return a few images of each class, chosen by chance; what cannot be decoded is passed over.

    Raises:
        TrainingError: None can be shown: the images are not there any more.
    """
    count = min(_MOST_SAMPLES, max(1, _SAMPLES // len(labels)))
    random = np.random.default_rng(seed)
    found = []
    for label in labels:
        own = [row for row in rows if row.label == label]
        images: list[Thumbnail] = []
        for number in random.permutation(len(own)):
            if len(images) == count:
                break
            try:
                images.append(thumbnail(read_image(root / own[number].file)))
            except TrainingError:
                continue
        found.append(Samples(label, tuple(images)))
    if not any(samples.images for samples in found):
        raise TrainingError(
            f"None of the run's images can be read below {root}. If they were moved, say where "
            "they are: --data DIR."
        )
    return found
