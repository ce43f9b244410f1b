"""What is written on a live image: the label, its confidence, frames a second."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from model_loader import UNKNOWN, Prediction
from training.output.fonts import fitted
from training.video.camera import HEIGHT, WIDTH

_SHARE = 1 / 18
"""Height of the label's letters, of the image's."""
_SMALLEST = 14
_TINIEST = 8
_SMALL = 0.6
"""Size of the other lines, of the label's."""

_BEHIND = (0, 0, 0, 170)
_KNOWN, _UNKNOWN, _OTHER = (255, 255, 255), (255, 196, 87), (205, 205, 205)


class Rate:
    """How many images a second there were of late."""

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
    answer = _line([prediction.label, f"{prediction.confidence * 100:.1f} %"], size, room)
    lines = [answer, *(_line([note], small, room) for note in notes)]
    colours = [_UNKNOWN if prediction.label == UNKNOWN else _KNOWN] + [_OTHER] * len(notes)
    drawn = image.copy()
    draw = ImageDraw.Draw(drawn, "RGBA")
    width = max(line.width for line in lines) + 2 * margin
    draw.rectangle((0, 0, width, sum(line.height + gap for line in lines) + margin), fill=_BEHIND)
    y = margin // 2 + gap
    for line, colour in zip(lines, colours, strict=True):
        line.draw(draw, margin, y + line.height / 2, colour)
        y += line.height + gap
    return drawn


@dataclass(frozen=True)
class _Line:
    """Texts beside each other, each with its font; sizes in pixels."""

    texts: tuple[tuple[str, ImageFont.FreeTypeFont], ...]
    height: int

    @property
    def width(self) -> float:
        lengths = [font.getlength(text) for text, font in self.texts]
        return sum(lengths) + self._space * (len(lengths) - 1)

    @property
    def _space(self) -> float:
        return self.height / 2

    def draw(
        self, draw: ImageDraw.ImageDraw, x: float, middle: float, colour: tuple[int, int, int]
    ) -> None:
        for text, font in self.texts:
            draw.text((x, middle), text, fill=colour, font=font, anchor="lm")
            x += font.getlength(text) + self._space


def _line(texts: Sequence[str], size: int, room: float) -> _Line:
    """Lay out texts at a size at which they fit into the room, if they are not endless."""
    full = _Line(tuple(fitted(text, size) for text in texts), size)
    if full.width <= room:
        return full
    smaller = max(_TINIEST, int(size * room / full.width))
    return _Line(tuple(fitted(text, smaller) for text in texts), smaller)
