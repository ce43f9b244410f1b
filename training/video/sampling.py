"""The frames of a video that are taken, and their time stamps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from training.errors import TrainingError

_SLACK = 1e-6
"""Seconds: times of frames are rounded."""

Takes = Callable[[int, float], bool]
"""Whether to take a frame: its number, from 0, and its seconds since the beginning."""


@dataclass(frozen=True)
class Sampling:
    """Every n-th frame, or n frames per second.

    Attributes:
        every: 1 takes each frame, 10 the first of each ten.
        rate: Frames taken of each second of the video; None to go by ``every``.
    """

    every: int = 1
    rate: float | None = None

    def start(self) -> Takes:
        """Return what decides about one video's frames, asked in their order."""
        if self.rate is None:
            return lambda number, seconds: number % self.every == 0
        return _Regular(1 / self.rate)

    def step(self, rate: float) -> float:
        """Return the seconds between the taken frames of a video of ``rate`` frames a second."""
        return max(1 / self.rate, 1 / rate) if self.rate else self.every / rate


def read_sampling(every: int | None, rate: float | None) -> Sampling:
    """Make a sampling of two options.

    Raises:
        TrainingError: Both are given.
    """
    if every is not None and rate is not None:
        raise TrainingError("Give --every or --fps, not both: each says which frames to take.")
    return Sampling(every or 1, rate)


def clock(seconds: float, digits: int = 1) -> str:
    """Write a moment of a video as minutes and seconds: ``00:03.2``."""
    units = round(seconds * 10**digits)
    minutes, rest = divmod(units, 60 * 10**digits)
    return f"{minutes:02}:{rest / 10**digits:0{3 + digits}.{digits}f}"


class _Regular:
    """Takes the first frame at or after each of the times 0, ``step``, 2 ``step`` and so on."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._taken = -1

    def __call__(self, number: int, seconds: float) -> bool:
        due = int((seconds + _SLACK) / self._step)
        takes = due > self._taken
        if takes:
            self._taken = due
        return takes
