"""Fine-tuning as `python -m training train` does it, without the export and report that follow.

    python -m benchmarks.our_training FOLDER STAGE …

FOLDER holds one folder for each class; stages are written as for `benchmarks.usual_training`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.usual_training import BATCH, DECAY, RATE
from training.process import collect_less_often, keep_freed_memory, wait_passively


class Clock:
    """A tracker that notes when each step ended."""

    def __init__(self) -> None:
        """Begin with no step."""
        self.ends: list[float] = []

    def log_step(self, loss: float, step: int) -> None:
        """Note a step."""
        self.ends.append(time.perf_counter())

    def log_epoch(self, figures: Mapping[str, float], epoch: int) -> None:
        """Ignore an epoch."""

    def close(self, succeeded: bool) -> None:
        """Keep nothing."""


def main(folder: Path, stages: list[str]) -> None:
    """Train, and print JSON: accuracy on the validation images, seconds of each step."""
    collect_less_often()
    wait_passively()
    keep_freed_memory()
    from training.data.source import DataSource
    from training.fitting.checkpoint import Progress
    from training.fitting.fit import Fitting
    from training.fitting.hardware import Hardware
    from training.fitting.run_images import read_images
    from training.models.classifier import build_model
    from training.models.weights import find_weights
    from training.pixels.cache import PixelCache
    from training.recipe import load_recipe
    from training.run import Run

    told = [_stage(each) for each in stages]
    changes = [f"stages=[{', '.join(told)}]", f"batch_size={BATCH}", "class_weights=false"]
    recipe = load_recipe("flying-objects-head", changes)
    clock = Clock()
    with tempfile.TemporaryDirectory() as work:
        run = Run(Path(work) / "run")
        run.checkpoint.parent.mkdir(parents=True)
        cache = PixelCache(Path(work) / "pixels")
        images = replace(read_images(DataSource(folder), recipe), cache=cache)
        labels = images.table.labels
        model = build_model(recipe.model, len(labels), find_weights("flying-objects", recipe.model))
        material = images.stage_data(recipe, recipe.stages[0])
        made = Progress(labels)
        Fitting(model, recipe, lambda _: material, run, Hardware(), [clock]).run(made)
    seconds = [end - begin for begin, end in zip(clock.ends, clock.ends[1:], strict=False)]
    print(json.dumps({"accuracy": made.epochs[-1].validation.accuracy, "seconds": seconds}))


def _stage(told: str) -> str:
    thaw, epochs = told.split(":")
    return f"{{thaw: {thaw}, epochs: {epochs}, learning_rate: {RATE}, weight_decay: {DECAY}}}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
