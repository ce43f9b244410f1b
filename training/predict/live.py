"""A model's answers on live images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from model_loader import Model, Prediction
from training.predict.questions import classify_image
from training.video.caption import Rate, caption, fit
from training.video.clip import VideoFrame
from training.video.newest import Newest
from training.video.opencv import to_image
from training.video.screens import Screen

_SECONDS_BETWEEN_POLLS = 0.05
"""Seconds to wait for a frame before the window handles its keys."""


class Labelled(NamedTuple):
    """A frame that was answered and shown."""

    frame: VideoFrame
    prediction: Prediction
    rate: float  # frames answered per second, over the last two seconds


def newest_frames(newest: Newest) -> Iterator[VideoFrame | None]:
    """Yield the newest frame until there are no more; None whenever there is none for a while."""
    while True:
        frame = newest.take(_SECONDS_BETWEEN_POLLS)
        yield frame
        if frame is None and newest.over:
            return


def label_live(
    model: Model, frames: Iterable[VideoFrame | None], screen: Screen
) -> Iterator[Labelled]:
    """Answer frames one after the other and show each with its answer, until the screen ends it.

    The whole frame is answered; it is shown at 1280 × 720 pixels at most.
    """
    rate = Rate()
    for frame in frames:
        if frame is not None:
            image = to_image(frame.levels)
            prediction = classify_image(model, image)
            speed = rate.tick()
            notes = [note for note in (f"{speed:.1f} frames/s", screen.note) if note]
            screen.show(caption(fit(image), prediction, *notes), frame.seconds)
            yield Labelled(frame, prediction, speed)
        if not screen.goes_on():
            return
