"""The time to classify one image on this machine, through the code that serves."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from model_loader import InputError, Model, ModelIncompatibleError, Timings, load_model
from samples.draw import CLASSES, draw_image
from training.cost.bill import FLAVOURS
from training.errors import TrainingError
from training.output.printing import say

RUNS = 20
"""Runs that the median is taken of."""

_WARM_UP = 3  # a TorchScript file is optimised in its first two calls


def read_image(path: Path | None) -> tuple[str, bytes]:
    """Return what the image is, for people, and the content of its file; without one, draw it."""
    if path is None:
        image, file = draw_image(CLASSES[0]), io.BytesIO()
        image.save(file, "JPEG", quality=90)
        return f"a drawn image of {image.width} × {image.height} pixels", file.getvalue()
    if not path.is_file():
        raise TrainingError(f"There is no {path}. Give --image the file of an image.")
    return str(path), path.read_bytes()


def load_engines(address: str) -> dict[str, Model]:
    """Load a version on one thread, with each engine that can run it."""
    models: dict[str, Model] = {}
    for flavour in FLAVOURS:
        try:
            models[flavour.engine] = load_model(address, flavour.engine, 1)
        except ModelIncompatibleError:
            if flavour is FLAVOURS[-1] and not models:
                raise
            say(f"{flavour.title} is left out: {flavour.engine} cannot run this version.")
    return models


def measure(
    models: Mapping[str, Model], title: str, data: bytes, runs: int = RUNS
) -> dict[str, Timings]:
    """Return the median processor time of each step of a warm classification, by engine.

    Processor time does not count what other programs use of this machine.

    Raises:
        TrainingError: The image cannot be decoded.
    """
    found = {}
    for engine, model in models.items():
        try:
            timings = [
                model.classify(data, clock=time.process_time).timings
                for _ in range(_WARM_UP + runs)
            ]
        except InputError as error:
            raise TrainingError(f"{title} cannot be classified. {error}") from error
        warm = [one for one in timings[_WARM_UP:] if one is not None]
        steps = ([one.decode, one.transform, one.inference] for one in warm)
        found[engine] = Timings(*map(median, zip(*steps, strict=True)))
    return found
