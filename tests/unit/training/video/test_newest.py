"""Of a camera the newest frame is answered, never an old one."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_loader import Model, Prediction, load_model
from tests.support.video_material import BIRD, Spectator
from training.errors import TrainingError
from training.predict.live import label_live, newest_frames
from training.video.clip import VideoFrame
from training.video.newest import Newest


@pytest.fixture(scope="module")
def model(version: Path) -> Model:
    return load_model(str(version))


class Camera:
    """Gives numbered frames when it is told to, whether or not they are taken."""

    def __init__(self) -> None:
        self.given = 0
        self._asked = 0
        self._permits = threading.Semaphore(0)
        self._over = False

    def __call__(self) -> VideoFrame | None:
        self._asked += 1
        self._permits.acquire()
        if self._over:
            return None
        return VideoFrame(self._asked - 1, "", np.zeros((4, 4, 3), np.uint8))

    def give(self, count: int) -> None:
        """Give frames; return once the last of them has been read."""
        self.given += count
        self._permits.release(count)
        while self._asked <= self.given:
            time.sleep(0.001)

    def end(self) -> None:
        self._over = True
        self._permits.release()


def test_a_slow_model_sees_the_newest_frame_and_the_others_are_dropped() -> None:
    camera = Camera()
    with Newest(camera) as newest:
        for burst in (1, 10, 1, 30):
            camera.give(burst)
            frame = newest.take()
            assert frame is not None
            assert frame.seconds == camera.given - 1
        assert newest.dropped == 9 + 29
        camera.end()


def test_a_fast_model_sees_every_frame() -> None:
    camera = Camera()
    seen = []
    with Newest(camera) as newest:
        for _ in range(10):
            camera.give(1)
            frame = newest.take()
            assert frame is not None
            seen.append(frame.seconds)
        camera.end()
        assert newest.take() is None
    assert seen == list(range(10))
    assert newest.dropped == 0


def test_a_fast_camera_and_a_slow_model_end_with_the_last_frame(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(model: Model, picture: Image.Image) -> Prediction:
        time.sleep(0.02)
        return BIRD

    numbers = iter(range(100))

    def read() -> VideoFrame | None:
        time.sleep(0.002)
        number = next(numbers, None)
        return number if number is None else VideoFrame(number, "", np.zeros((64, 64, 3), np.uint8))

    monkeypatch.setattr(Model, "classify_decoded", slow)
    with Newest(read) as newest:
        shown = list(label_live(model, newest_frames(newest), Spectator()))
    times = [labelled.frame.seconds for labelled in shown]
    assert times == sorted(set(times))
    assert times[-1] == 99
    assert len(times) < 50
    assert newest.dropped == 100 - len(times)


def test_a_camera_that_stalls_does_not_hold_up_the_window() -> None:
    unplugged = threading.Event()

    def read() -> VideoFrame | None:
        unplugged.wait(20)
        return None

    with Newest(read) as newest:
        frames = newest_frames(newest)
        assert [next(frames), next(frames)] == [None, None]
        unplugged.set()
        assert set(frames) == {None}


def test_what_goes_wrong_with_a_camera_reaches_whoever_waits() -> None:
    def read() -> VideoFrame | None:
        raise TrainingError("Camera 0 gives no more frames.")

    with Newest(read) as newest, pytest.raises(TrainingError, match="no more frames"):
        list(newest_frames(newest))
