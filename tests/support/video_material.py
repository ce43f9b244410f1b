"""Answers, keys and frames for what shows labelled pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_loader import Prediction
from training.video.clip import VideoFrame, read_clip
from training.video.opencv import cv2, to_image, to_levels

BIRD = Prediction("Flying Birds", 0.876, {"Flying Birds": 0.876, "Winged Drones": 0.124})


def pictures_of(path: Path) -> list[Image.Image]:
    return [to_image(frame.levels) for frame in read_clip(path)]


class Keys:
    """Presses keys in a window, one each time it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: str, visible: float = 1.0) -> None:
        self.shown: list[np.ndarray] = []
        self._keys = list(keys)
        monkeypatch.setattr(cv2, "imshow", lambda title, levels: self.shown.append(levels))
        monkeypatch.setattr(cv2, "waitKey", self._press)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda title, what: visible)

    def _press(self, milliseconds: int) -> int:
        key = self._keys.pop(0) if self._keys else "."
        return -1 if key == "." else ord(key)


def frames_of(pictures: list[Image.Image]) -> list[VideoFrame | None]:
    return [VideoFrame(i / 10, "", to_levels(picture)) for i, picture in enumerate(pictures)]
