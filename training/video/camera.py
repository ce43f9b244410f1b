"""Cameras, and video files that are played as if they were one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import TrainingError
from training.video.clip import VideoFrame, read_clip
from training.video.newest import Newest, Read
from training.video.opencv import cv2
from training.video.sampling import clock

WIDTH, HEIGHT = 1280, 720
"""Pixels that a camera is asked for; it gives what it has."""


@contextmanager
def watch_camera(index: int) -> Iterator[Newest]:
    """Open a camera and see its newest frame.

    Raises:
        TrainingError: There is no such camera, or another program has it.
    """
    capture = cv2.VideoCapture(index)
    try:
        if not capture.isOpened():
            raise TrainingError(
                f"There is no camera {index}, or it is in use, or this program may not use it. "
                "Try another number (0 is the first), or give a video file."
            )
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, WIDTH)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, HEIGHT)
        with Newest(_read_camera(capture, index)) as newest:
            yield newest
    finally:
        capture.release()


@contextmanager
def watch_clip(path: Path) -> Iterator[Newest]:
    """Play a video file at its own speed and see its newest frame.

    Raises:
        BrokenVideoError: From ``Newest.take``, where frames cannot be decoded.
    """
    with Newest(_play(read_clip(path))) as newest:
        yield newest


def _read_camera(capture: cv2.VideoCapture, index: int) -> Read:
    began = time.monotonic()

    def read() -> VideoFrame:
        found, levels = capture.read()
        if not found:
            raise TrainingError(f"Camera {index} gives no more frames. Is it still connected?")
        seconds = time.monotonic() - began
        return VideoFrame(seconds, clock(seconds, 3), levels)

    return read


def _play(frames: Iterator[VideoFrame]) -> Read:
    began = time.monotonic()

    def read() -> VideoFrame | None:
        frame = next(frames, None)
        if frame is not None:
            time.sleep(max(0.0, began + frame.seconds - time.monotonic()))
        return frame

    return read
