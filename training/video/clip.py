"""The frames of a video file, one after the other."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from training.video.opencv import Levels, cv2
from training.video.sampling import Sampling, clock

_USUAL_RATE = 25.0
"""Frames a second of a file that does not say."""

_LEAST_SHARE = 0.5
"""Of the frames that a file promises. Containers round and estimate; with fewer, it is damaged."""


class BrokenVideoError(Exception):
    """A video has no frames, or far fewer than it promises; the message is a sentence."""


class VideoFrame(NamedTuple):
    """One frame."""

    seconds: float  # since the beginning
    time: str  # the same in minutes and seconds, unique to the frame
    levels: Levels


def read_clip(path: Path, sampling: Sampling | None = None) -> Generator[VideoFrame, None, None]:
    """Yield a video's frames in order, upright, without keeping them.

    Args:
        path: The file.
        sampling: The frames to take; None for all.

    Raises:
        BrokenVideoError: No frame can be decoded, or far fewer than the file promises.
    """
    sampling = sampling or Sampling()
    with _opened(path) as capture:
        rate, promised = _rate(capture), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        digits = 1 if sampling.step(rate) >= 0.1 else 3
        takes = sampling.start()
        number = 0
        while capture.grab():
            seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 or number / rate
            if takes(number, seconds):
                found, levels = capture.retrieve()
                if found:
                    yield VideoFrame(seconds, clock(seconds, digits), levels)
            number += 1
    if number == 0 or number < _LEAST_SHARE * promised:
        raise BrokenVideoError(
            f"Only {number} of {promised} frames can be decoded: the video is damaged or cut "
            "short. Copy it again."
        )


def count_frames(path: Path, sampling: Sampling) -> int:
    """Return about how many frames ``read_clip`` yields; 1 where the file cannot be opened."""
    try:
        with _opened(path) as capture:
            rate = _rate(capture)
            seconds = capture.get(cv2.CAP_PROP_FRAME_COUNT) / rate
    except BrokenVideoError:
        return 1
    return max(1, round(seconds / sampling.step(rate)))


def frame_rate(path: Path) -> float:
    """Return how many frames a second the video has.

    Raises:
        BrokenVideoError: It cannot be opened.
    """
    with _opened(path) as capture:
        return _rate(capture)


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise BrokenVideoError(
                "It cannot be opened as a video: it is damaged, or of a kind that FFmpeg does not "
                "know. Convert it to MP4."
            )
        yield capture
    finally:
        capture.release()


def _rate(capture: cv2.VideoCapture) -> float:
    rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if 0 < rate < 1000 else _USUAL_RATE
