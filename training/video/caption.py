"""Captions of live images: the label, its confidence, frames per second."""

from __future__ import annotations

import time
from collections import deque

from PIL import Image, ImageDraw, ImageFont

from model_loader import UNKNOWN, Prediction
from training.output.fonts import fitted
from training.video.camera import HEIGHT, WIDTH

_SHARE = 1 / 18  # height of the label as a share of the image's
_SMALL = 0.6  # height of the other lines as a share of the label's
_SMALLEST, _SMALLEST_OF_ALL = 14, 8  # pixels of a label, and of one that would not fit else

_BEHIND = (0, 0, 0, 170)
_KNOWN, _UNKNOWN, _OTHER = (255, 255, 255), (255, 196, 87), (205, 205, 205)


class Rate:
    """Images per second over the last seconds."""

    def __init__(self, window: float = 2.0) -> None:
        """Look back ``window`` seconds."""
        self._window = window
        self._times: deque[float] = deque()

    def tick(self, now: float | None = None) -> float:
        """Count an image; return images a second, 0 for the first."""
        now = time.monotonic() if now is None else now
        self._times.append(now)
        while now - self._times[0] > self._window and len(self._times) > 2:
            self._times.popleft()
        elapsed = now - self._times[0]
        return (len(self._times) - 1) / elapsed if elapsed else 0.0


def fit(image: Image.Image) -> Image.Image:
    """Scale an image down until it is at most 1280 × 720 pixels; both sides become even.

    Video encoders take even sides only.
    """
    scale = min(1.0, WIDTH / image.width, HEIGHT / image.height)
    size = tuple(max(2, round(side * scale) // 2 * 2) for side in image.size)
    if size == image.size:
        return image
    return image.resize((size[0], size[1]), Image.Resampling.BILINEAR)


def caption(image: Image.Image, prediction: Prediction, *notes: str) -> Image.Image:
    """Return the image with the answer, and smaller notes below it, in its upper left corner."""
    size = max(_SMALLEST, round(image.height * _SHARE))
    small = max(_SMALLEST * 2 // 3, int(size * _SMALL))
    margin, gap = size // 2, size // 4
    room = image.width - 2 * margin
    # Name and figure apart: beside Arabic or Hebrew, the percent sign would change sides.
    answer = [prediction.label, f"{prediction.confidence * 100:.1f} %"]
    lines = [_line(answer, size, room), *(_line([note], small, room) for note in notes)]
    colours = [_UNKNOWN if prediction.label == UNKNOWN else _KNOWN] + [_OTHER] * len(notes)
    drawn = image.copy()
    draw = ImageDraw.Draw(drawn, "RGBA")
    width = max(width for *_, width in lines) + 2 * margin
    draw.rectangle((0, 0, width, sum(high + gap for _, high, _ in lines) + margin), fill=_BEHIND)
    y = margin // 2 + gap
    for (texts, high, _), colour in zip(lines, colours, strict=True):
        x: float = margin
        for text, font in texts:
            draw.text((x, y + high / 2), text, fill=colour, font=font, anchor="lm")
            x += font.getlength(text) + high / 2
        y += high + gap
    return drawn


def _line(
    texts: list[str], size: int, room: float
) -> tuple[list[tuple[str, ImageFont.FreeTypeFont]], int, float]:
    """Return texts with their fonts, the size at which they fit side by side, and their width."""
    fonts = [fitted(text, size) for text in texts]
    width = sum(font.getlength(text) for text, font in fonts) + (len(texts) - 1) * size / 2
    if width <= room or size == _SMALLEST_OF_ALL:
        return fonts, size, width
    return _line(texts, max(_SMALLEST_OF_ALL, int(size * room / width)), room)
