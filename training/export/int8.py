"""An int8 ONNX file for a run, if its accuracy allows it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_loader import InputError, Model, load_model
from training.data.split import read_split
from training.data.table import LabelledImage
from training.errors import TrainingError
from training.evaluation.answers import Answers, answer_images
from training.export.torchscript import int8_version
from training.files.atomic import hidden_folder, replace_folder
from training.output.progress import progress
from training.run import Run
from training.run_data import read_data

MOST_POINTS = 0.5
"""Percentage points of accuracy on the validation images that int8 may cost."""

_CALIBRATING = 128
_TIMED = 30


@dataclass(frozen=True)
class Comparison:
    """An int8 file against the float32 file that it replaces, on the validation images.

    Attributes:
        n: Number of images.
        accuracy: Accuracy of the int8 file.
        accuracy_float32: Accuracy of the float32 file.
        same_label: The fraction of images that both answer alike.
        mean_difference: Mean difference of a probability, before a temperature.
        megabytes: Size of the int8 file.
        megabytes_float32: Size of the float32 file.
        milliseconds: CPU time of the int8 network for an image, on one thread; median.
        milliseconds_float32: The same of the float32 network, measured in turn with it.
        calibrated_on: Number of training images that it was calibrated on.
    """

    n: int
    accuracy: float
    accuracy_float32: float
    same_label: float
    mean_difference: float
    megabytes: float
    megabytes_float32: float
    milliseconds: float
    milliseconds_float32: float
    calibrated_on: int

    @property
    def is_kept(self) -> bool:
        """Whether accuracy falls by no more than it may."""
        lost = round(self.n * (self.accuracy_float32 - self.accuracy))  # whole images
        return 100 * lost <= MOST_POINTS * self.n

    def __str__(self) -> str:
        """Return the figures and the verdict in two sentences."""
        figures = (
            f"accuracy {self.accuracy:.3f} on {self.n:,} validation images, "
            f"{self.accuracy_float32:.3f} in float32; {self.same_label:.1%} same labels, "
            f"probabilities differ by {self.mean_difference:.4f} on average; "
            f"{self.megabytes:.1f} MB in place of {self.megabytes_float32:.1f}, "
            f"{self.milliseconds:.1f} CPU ms an image in place of "
            f"{self.milliseconds_float32:.1f} (one thread, median of {_TIMED})"
        )
        if self.is_kept:
            return f"model.onnx is int8 now: {figures}."
        return (
            f"int8 is refused, model.onnx stays float32: {figures}. "
            f"At most {MOST_POINTS} points of accuracy may be lost."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures by their names."""
        return asdict(self)


def quantise_run(run: Run) -> Comparison:
    """Make a run's ONNX file int8, if its accuracy on the validation images allows it.

    Raises:
        TrainingError: The network cannot be quantised, or too many images cannot be used.
    """
    kept, split = read_data(run), read_split(run.split)
    before = load_model(str(run.model), "onnx", threads=1)
    images = _training_images(before, kept.root, split.train)
    with hidden_folder(run.folder, ".int8-") as temporary:
        folder = temporary / "model"
        int8_version(run.model, folder, images)
        after = load_model(str(folder), "onnx", threads=1)
        old, new = (
            answer_images(model, kept.root, split.validation, title, kept.skipped)
            for model, title in ((before, "Answers, float32"), (after, "Answers, int8"))
        )
        comparison = _compare(before, after, old, new, len(images))
        if comparison.is_kept:
            replace_folder(folder, run.model)
    return comparison


def _training_images(
    model: Model, root: Path, rows: Sequence[LabelledImage]
) -> list[NDArray[np.float32]]:
    """Return some training images, drawn at random but the same each time."""
    order = np.random.default_rng(0).permutation(len(rows))
    images: list[NDArray[np.float32]] = []
    wanted = min(_CALIBRATING, len(rows))
    with progress("Reading images for int8", wanted) as advance:
        for i in order:
            if len(images) == wanted:
                break
            try:
                images.append(model.prepare((root / rows[i].file).read_bytes()))
            except (OSError, InputError):
                continue  # training has named it
            advance("")
    if not images:
        raise TrainingError("int8 needs training images, but none of them can be read any more.")
    return images


def _compare(before: Model, after: Model, old: Answers, new: Answers, images: int) -> Comparison:
    was, now = old.probabilities(1.0), new.probabilities(1.0)
    labels, before_labels = now.argmax(1), was.argmax(1)
    milliseconds = _milliseconds(before, after)
    sizes = [model.metadata.files["model.onnx"].size / 1e6 for model in (before, after)]
    return Comparison(
        n=len(new.rows),
        accuracy=float((labels == new.truth).mean()),
        accuracy_float32=float((before_labels == old.truth).mean()),
        same_label=float((labels == before_labels).mean()),
        mean_difference=float(np.abs(now - was).mean()),
        megabytes=sizes[1],
        megabytes_float32=sizes[0],
        milliseconds=milliseconds[1],
        milliseconds_float32=milliseconds[0],
        calibrated_on=images,
    )


def _milliseconds(*models: Model) -> list[float]:
    """Return the CPU time of each network for the self-test's image, measured in turn."""
    times: list[list[float]] = [[] for _ in models]
    images = models[0].prepare(models[0].metadata.self_test.image)[None]
    for i in range(_TIMED + 2):
        for model, found in zip(models, times, strict=True):
            start = time.process_time()
            model.network(images)
            if i >= 2:  # the first ones fetch memory
                found.append(1e3 * (time.process_time() - start))
    return [float(np.median(found)) for found in times]
