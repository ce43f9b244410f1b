"""What is written on a live picture: the label, its confidence, frames a second."""

from __future__ import annotations

import time
from collections import deque

from PIL import Image, ImageDraw

from model_loader import UNKNOWN, Prediction
from training.video.camera import HEIGHT, WIDTH
from training.video.fonts import fitted

_SHARE = 1 / 18
"""Height of the label's letters, of the picture's."""
_SMALLEST = 14
_SMALL = 0.6
"""Size of the other lines, of the label's."""

_BEHIND = (0, 0, 0, 170)
_KNOWN, _UNKNOWN, _OTHER = (255, 255, 255), (255, 196, 87), (205, 205, 205)


class Rate:
    """How many pictures a second there were of late."""

    def __init__(self, window: float = 2.0) -> None:
        """Look back ``window`` seconds."""
        self._window = window
        self._times: deque[float] = deque()

    def tick(self, now: float | None = None) -> float:
        """Count a picture; return pictures a second, 0 for the first."""
        now = time.monotonic() if now is None else now
        self._times.append(now)
        while now - self._times[0] > self._window and len(self._times) > 2:
            self._times.popleft()
        elapsed = now - self._times[0]
        return (len(self._times) - 1) / elapsed if elapsed else 0.0


def fit(picture: Image.Image) -> Image.Image:
    """Scale a picture down until it is at most 1280 × 720 pixels; both sides become even.

    Video encoders take even sides only.
    """
    scale = min(1.0, WIDTH / picture.width, HEIGHT / picture.height)
    size = tuple(max(2, round(side * scale) // 2 * 2) for side in picture.size)
    if size == picture.size:
        return picture
    return picture.resize((size[0], size[1]), Image.Resampling.BILINEAR)


def describe(prediction: Prediction) -> str:
    """Return an answer as one line."""
    return f"{prediction.label}  {prediction.confidence:.1%}"


def caption(picture: Image.Image, prediction: Prediction, *notes: str) -> Image.Image:
    """Return the picture with the answer, and smaller notes below it, in its upper left corner."""
    size = max(_SMALLEST, round(picture.height * _SHARE))
    lines = [(describe(prediction), size)] + [(note, max(10, int(size * _SMALL))) for note in notes]
    colours = [_UNKNOWN if prediction.label == UNKNOWN else _KNOWN] + [_OTHER] * len(notes)
    margin, gap = size // 2, size // 4
    drawn = picture.copy()
    draw = ImageDraw.Draw(drawn, "RGBA")
    texts = [
        (*fitted(text, _shrunk(text, height, picture.width - 2 * margin)), height)
        for text, height in lines
    ]
    width = max(font.getlength(text) for text, font, _ in texts)
    below = sum(height + gap for *_, height in texts) + margin
    draw.rectangle((0, 0, width + 2 * margin, below), fill=_BEHIND)
    y = margin // 2 + gap
    for (text, font, height), colour in zip(texts, colours, strict=True):
        draw.text((margin, y + height / 2), text, fill=colour, font=font, anchor="lm")
        y += height + gap
    return drawn


def _shrunk(text: str, size: int, width: float) -> int:
    """Return a size at which the text is no wider than the picture."""
    shown, font = fitted(text, size)
    return max(8, min(size, int(size * width / max(1.0, font.getlength(shown)))))
