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


class _Clock:
    """A tracker that notes when each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def log_step(self, loss: float, step: int) -> None:
        self.ends.append(time.perf_counter())

    def log_epoch(self, figures: Mapping[str, float], epoch: int) -> None:
        pass

    def close(self, succeeded: bool) -> None:
        pass


def main(folder: Path, stages: list[str]) -> None:
    """Train, and print JSON: accuracy on the validation images, seconds of each step."""
    collect_less_often()
    wait_passively()
    keep_freed_memory()
    from training.data.source import DataSource
    from training.fitting.checkpoint import Progress
    from training.fitting.fit import Fitting
    from training.fitting.hardware import Hardware
    from training.fitting.stage_images import read_images
    from training.models.classifier import build_model
    from training.models.weights import find_weights
    from training.recipe import load_recipe
    from training.run import Run

    given = f"learning_rate: {RATE}, weight_decay: {DECAY}"
    pairs = [stage.split(":") for stage in stages]
    listed = [f"{{thaw: {thaw}, epochs: {epochs}, {given}}}" for thaw, epochs in pairs]
    changes = [f"stages=[{', '.join(listed)}]", f"batch_size={BATCH}", "class_weights=false"]
    recipe = load_recipe("flying-objects-head", changes)
    clock = _Clock()
    with tempfile.TemporaryDirectory() as work:
        run = Run(Path(work) / "run")
        run.checkpoint.parent.mkdir(parents=True)
        images = replace(read_images(DataSource(folder), recipe), cache=Path(work) / "pixels")
        labels = images.table.labels
        model = build_model(recipe.model, len(labels), find_weights("flying-objects", recipe.model))
        material = images.material(recipe, recipe.stages[0])
        progress = Progress(labels)
        Fitting(model, recipe, lambda _: material, run, Hardware(), [clock]).go_on(progress)
    seconds = [end - begin for begin, end in zip(clock.ends, clock.ends[1:], strict=False)]
    print(json.dumps({"accuracy": progress.epochs[-1].validation.accuracy, "seconds": seconds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
