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
from itertools import pairwise
from pathlib import Path

from benchmarks.usual_training import BATCH, DECAY, RATE
from training.process import collect_less_often, keep_freed_memory, wait_passively


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

    given = f"learning_rate: {RATE}, weight_decay: {DECAY}"
    pairs = [stage.split(":") for stage in stages]
    listed = [f"{{thaw: {thaw}, epochs: {epochs}, {given}}}" for thaw, epochs in pairs]
    changes = [f"stages=[{', '.join(listed)}]", f"batch_size={BATCH}", "class_weights=false"]
    recipe = load_recipe("flying-objects-head", changes)
    ends: list[float] = []

    def note_step(figures: Mapping[str, float], axis: str, number: int) -> None:
        if axis == "step":
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as work:
        run = Run(Path(work) / "run")
        run.checkpoint.parent.mkdir(parents=True)
        cache = PixelCache(Path(work) / "pixels")
        images = replace(read_images(DataSource(folder), recipe), cache=cache)
        labels = images.table.labels
        model = build_model(recipe.model, len(labels), find_weights("flying-objects", recipe.model))
        data = images.stage_data(recipe, recipe.stages[0])
        progress = Progress(labels)
        Fitting(model, recipe, lambda _: data, run, Hardware(), [note_step]).run(progress)
    seconds = [end - begin for begin, end in pairwise(ends)]
    print(json.dumps({"accuracy": progress.epochs[-1].validation.accuracy, "seconds": seconds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
