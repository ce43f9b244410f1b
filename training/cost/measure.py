"""How long one picture takes on this machine, step by step, through the code that serves."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from model_loader import InputError, Model, ModelIncompatibleError, Timings, load_model
from samples.draw import CLASSES, draw_image
from training.errors import TrainingError

RUNS = 20
"""Of which the median is taken."""

_WARM_UP = 3  # a TorchScript file's first two calls optimise it
_THREADS = 1


@dataclass(frozen=True)
class Picture:
    """What is classified.

    Attributes:
        title: What it is, for people.
        data: The whole file.
    """

    title: str
    data: bytes


def read_picture(path: Path | None) -> Picture:
    """Return the picture to measure with: a file's, or a drawn one.

    Raises:
        TrainingError: There is no such file.
    """
    if path is None:
        buffer = io.BytesIO()
        image = draw_image(CLASSES[0])
        image.save(buffer, "JPEG", quality=90)
        return Picture(
            f"a drawn picture of {image.width} × {image.height} pixels", buffer.getvalue()
        )
    if not path.is_file():
        raise TrainingError(f"There is no {path}. Give --image a picture's file.")
    return Picture(str(path), path.read_bytes())


def load_engines(address: str, engines: tuple[str, ...]) -> dict[str, Model]:
    """Load a model with every engine that can run it, in order, for one thread.

    Raises:
        ModelUnavailableError: It cannot be loaded, or no engine can run it.
    """
    models: dict[str, Model] = {}
    reason: ModelIncompatibleError | None = None
    for engine in engines:
        try:
            models[engine] = load_model(address, engine, _THREADS)
        except ModelIncompatibleError as error:
            reason = error
    if reason is not None and not models:
        raise reason
    return models


def measure(models: dict[str, Model], picture: Picture, runs: int = RUNS) -> dict[str, Timings]:
    """Measure how long one warm classification keeps one core busy: medians.

    The processor's time, not the clock's: what other programs take of this machine does not count.

    Args:
        models: One version by the names of its engines, loaded for one thread.
        picture: What it is to classify.
        runs: Of each engine.

    Raises:
        TrainingError: The picture cannot be decoded.
    """
    try:
        return {engine: _median(model, picture.data, runs) for engine, model in models.items()}
    except InputError as error:
        raise TrainingError(f"{picture.title} cannot be classified. {error}") from error


def _median(model: Model, data: bytes, runs: int) -> Timings:
    """Return the median of each step once all are warm."""
    timings = []
    for _ in range(_WARM_UP + runs):
        taken = model.classify(data, clock=time.process_time).timings
        assert taken is not None  # a file was decoded
        timings.append(taken)
    warm = timings[_WARM_UP:]
    return Timings(
        decode=median(one.decode for one in warm),
        transform=median(one.transform for one in warm),
        inference=median(one.inference for one in warm),
    )
