"""OpenCV, which reads and writes videos and reads cameras; imported only when one is asked for."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.errors import TrainingError

# Errors are reported by this code; the libraries would repeat them on many lines.
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

try:
    import cv2
except ImportError as error:
    raise TrainingError(
        f"Videos and cameras need OpenCV, which cannot be imported ({error}). Install it with "
        "`pip install -r requirements-training.txt`."
    ) from error

__all__ = ["Levels", "cv2", "to_levels", "to_image"]

Levels = NDArray[Any]
"""A frame as OpenCV has it: uint8 [H, W, 3], in B, G, R order."""


def to_image(levels: Levels) -> Image.Image:
    """Turn a frame into what the test transform takes: an image of mode RGB."""
    return Image.fromarray(cv2.cvtColor(levels, cv2.COLOR_BGR2RGB))


def to_levels(image: Image.Image) -> Levels:
    """Turn an image of mode RGB into what OpenCV shows and writes."""
    return cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR)
