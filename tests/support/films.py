"""Videos that tests write themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from samples.draw import CLASSES, draw_image
from training.video.opencv import cv2, to_levels

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}


def write_film(path: Path, pictures: Iterable[Image.Image], rate: float = 10.0) -> Path:
    """Write pictures of equal size as a video; the end of its name says how it is encoded."""
    writer = None
    for picture in pictures:
        if writer is None:
            codec = cv2.VideoWriter.fourcc(*CODECS[path.suffix])
            writer = cv2.VideoWriter(str(path), codec, rate, picture.size)
            assert writer.isOpened()
        writer.write(to_levels(picture))
    assert writer is not None
    writer.release()
    return path


def greys(count: int, size: tuple[int, int] = (64, 48)) -> list[Image.Image]:
    """Return plain pictures, each lighter than the one before."""
    return [Image.new("RGB", size, (level, level, level)) for level in range(0, 8 * count, 8)]


def drawn(count: int, size: tuple[int, int] = (320, 240)) -> list[Image.Image]:
    """Return drawn pictures of all classes, one after the other."""
    return [draw_image(CLASSES[i % len(CLASSES)], seed=i).resize(size) for i in range(count)]


def brightness(pictures: Sequence[Image.Image]) -> list[int]:
    """Return the grey level in the middle of each picture."""
    return [
        int(np.asarray(picture.convert("L"))[picture.height // 2, picture.width // 2])
        for picture in pictures
    ]
