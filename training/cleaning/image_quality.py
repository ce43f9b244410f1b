"""CleanVision's verdicts on how an image looks: dark, blurry, of an odd size.

The formulas are those of cleanvision 0.3.7 (`issue_managers.image_property`), whose import brings
matplotlib and pandas and takes longer than a thousand images; the tests hold them against it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

_CHANNELS = np.array([0.241, 0.691, 0.068], dtype=np.float32)
"""Weights of red, green and blue in the square of the perceived brightness."""

_LONGEST_SAMPLED = 256
"""Pixels a side, at most, whose brightness counts: that of every pixel differs in the third
digit, and of a 12-megapixel image takes 380 ms."""

_LONGEST_FILTERED = 64
"""Longest side of what CleanVision looks for edges in."""

_NORMALISED_BY = 0.01
_COLOURFUL = 0.18


def brightest(image: Image.Image) -> float:
    """Return the 99th percentile of an RGB image's brightness, 0…1: a dark one's is low."""
    step = -(-max(image.size) // _LONGEST_SAMPLED)
    levels = np.asarray(image)[::step, ::step].astype(np.float32)
    squares = np.square(levels) @ _CHANNELS
    return float(np.percentile(np.sqrt(squares), 99)) / 255


def edges(image: Image.Image) -> tuple[float, float]:
    """Return the deviation of an RGB image's edges, and that of its histogram of grey levels."""
    ratio = max(image.size) / _LONGEST_FILTERED
    if ratio > 1:
        image = image.resize((_side(image.width, ratio), _side(image.height, ratio)))
    grey = image.convert("L")
    found = np.asarray(grey.filter(ImageFilter.FIND_EDGES))
    return float(found.std()), float(np.std(grey.histogram()))


def sharpness(measured: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return each image's score, 0…1, from what ``edges`` measured; a blurry one's is low."""
    edge_scores, grey_scores = 1 - np.exp(-_NORMALISED_BY * np.array(measured).reshape(-1, 2).T)
    grey_scores[grey_scores <= _COLOURFUL] = 0
    scores: NDArray[np.float64] = np.minimum(edge_scores + grey_scores, 1)
    return scores


def odd_sizes(sizes: Sequence[float], ranges: float) -> list[bool]:
    """Return which sizes lie more than ``ranges`` interquartile ranges outside the quartiles.

    Where half of the sizes and more are equal, CleanVision would call all others odd; none is
    called so here.
    """
    low, high = np.percentile(sizes, (25, 75))
    if low == high:
        return [False] * len(sizes)
    allowed = ranges * (high - low)
    return [not low - allowed <= size <= high + allowed for size in sizes]


def _side(side: int, ratio: float) -> int:
    return max(int(side // ratio), 1)
