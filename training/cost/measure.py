"""How long one picture takes on this machine, step by step, through the code that serves."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from model_loader import InputError, Model, ModelIncompatibleError, load_model
from training.errors import TrainingError
from training.samples.draw import CLASSES, draw_image

RUNS = 20
"""Of which the median is taken."""

_WARM_UP = 3  # a TorchScript file's first two calls optimise it
_THREADS = 1

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Picture:
    """What is classified.

    Attributes:
        title: What it is, for people.
        data: The whole file.
    """

    title: str
    data: bytes


@dataclass(frozen=True)
class Steps:
    """Milliseconds of one core that one warm classification takes: medians.

    The processor's time, not the clock's: what other programs take of this machine does not count.
    """

    decode: float
    transform: float
    inference: float

    @property
    def total(self) -> float:
        """All three, in milliseconds."""
        return self.decode + self.transform + self.inference


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


def measure(models: dict[str, Model], picture: Picture, runs: int = RUNS) -> dict[str, Steps]:
    """Measure a model with each of its engines.

    Args:
        models: One version by the names of its engines, loaded for one thread.
        picture: What it is to classify.
        runs: Of each step.

    Raises:
        TrainingError: The picture cannot be decoded.
    """
    transform = next(iter(models.values())).metadata.transform
    try:
        decoded, decode = _median(lambda: transform.decode(picture.data), runs)
    except InputError as error:
        raise TrainingError(f"{picture.title} cannot be classified. {error}") from error
    prepared, transformed = _median(lambda: transform(decoded), runs)
    steps = {}
    for engine, model in models.items():
        _, inference = _median(partial(model.probabilities, prepared[None]), runs)
        steps[engine] = Steps(decode, transformed, inference)
    return steps


def _median(run: Callable[[], _Result], runs: int) -> tuple[_Result, float]:
    """Return a step's result and the milliseconds that it takes once it is warm."""
    for _ in range(_WARM_UP):
        result = run()
    times = []
    for _ in range(runs):
        begin = time.process_time()
        result = run()
        times.append(1000 * (time.process_time() - begin))
    return result, statistics.median(times)
