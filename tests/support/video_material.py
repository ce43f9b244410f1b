"""Answers, a spectator and frames for what shows labelled pictures."""

from __future__ import annotations

import itertools
from pathlib import Path

from PIL import Image

from model_loader import Prediction
from training.video.clip import VideoFrame, read_clip
from training.video.opencv import to_image, to_levels

BIRD = Prediction("Flying Birds", 0.876, {"Flying Birds": 0.876, "Winged Drones": 0.124})


def pictures_of(path: Path) -> list[Image.Image]:
    return [to_image(frame.levels) for frame in read_clip(path)]


class Spectator:
    """A screen whose spectator leaves after so many looks; most never do."""

    note = ""

    def __init__(self, looks: int | None = None) -> None:
        self.shown: list[Image.Image] = []
        self._looks = itertools.count() if looks is None else iter(range(1, looks))

    def show(self, image: Image.Image, seconds: float) -> None:
        self.shown.append(image)

    def goes_on(self) -> bool:
        return next(self._looks, None) is not None


def frames_of(pictures: list[Image.Image]) -> list[VideoFrame | None]:
    return [VideoFrame(i / 10, "", to_levels(picture)) for i, picture in enumerate(pictures)]
