"""One training run: folder → table → split → fit → finish."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from training.data.source import DataSource
from training.data.split import read_split, write_split
from training.errors import TrainingError, interruptible
from training.files.atomic import replacing
from training.files.locks import hold
from training.finish import Finished, finish_training
from training.fitting.checkpoint import Progress, read_progress
from training.fitting.fit import Fitting
from training.fitting.hardware import Hardware
from training.fitting.interruption import resumable, resume_command
from training.fitting.lr_find import RangeTest
from training.fitting.run_images import (
    RunImages,
    check_processes,
    read_images,
    read_split_images,
)
from training.fitting.stage_data import StageData
from training.fitting.tracker import tracking
from training.models.classifier import Classifier, backbone, build_model
from training.models.weights import find_weights
from training.pixels.cache import NO_CACHE, choose_cache
from training.recipe import Recipe, load_recipe
from training.recipe_sections import Stage
from training.run import Run, new_run, take
from training.run_data import RunData, check_there, move_data, read_data, write_data

_NOT_BEGUN = "Interrupted before training began: no epoch is kept to go on from. Train again."


def train(
    source: DataSource,
    recipe: Recipe,
    weights: str,
    save: Path | None = None,
    hardware: Hardware | None = None,
    tracker: str = "none",
    cache: str | None = None,
) -> Finished | None:
    """Train, export and evaluate a model; nothing is written before every file was read.

    ``training.start`` checks the arguments beforehand, without the imports of this module.

    Args:
        source: The images, and how they are split.
        recipe: How to train.
        weights: ``imagenet``, ``none``, the name of shipped weights, or a state dict's path.
        save: The run's folder; None for ``runs/<recipe>/<time>``.
        hardware: The processes and their devices.
        tracker: ``none``, ``tensorboard`` or ``wandb``.
        cache: The folder of decoded images; see ``choose_cache``.

    Returns:
        The finished run; None in all processes but the first.

    Raises:
        TrainingError: The data, the weights or the folder are not usable; see the message.
        InterruptedRunError: Ctrl-C, SIGTERM or SIGHUP.
    """
    hardware = hardware or Hardware()
    hardware.check(recipe)
    began = time.perf_counter()
    if hardware.world > 1 and save is None:
        raise TrainingError("Several processes need one folder to write to: give --save DIR.")
    run = Run(save) if save and hardware.rank else new_run(recipe.name, save)
    with interruptible(_NOT_BEGUN):
        images = replace(read_images(source, recipe), cache=choose_cache(cache, run.folder))
        progress = Progress(images.table.labels, began=began)
        model = _first_model(recipe, weights, images)
        if hardware.rank == 0:
            images.check_test()
        stage_data = images.by_stage(recipe)
        check_processes(hardware, recipe, images, stage_data(recipe.stages[0]), progress)
        if hardware.rank == 0:
            run = take(run, save is not None)
    with resumable(run, progress, hardware.rank == 0):
        if hardware.rank == 0:
            _begin(run, recipe, images, weights)
            hold(run.recipe, progress)
        return _fit(run, recipe, model, stage_data, hardware, tracker, progress)


def resume(
    folder: Path,
    hardware: Hardware | None = None,
    tracker: str = "none",
    cache: str | None = None,
    root: Path | None = None,
) -> Finished | None:
    """Go on with a run that was interrupted, to the same end as if it had not been.

    The parameters are those of ``train``; None for ``cache`` is the one that the run began with,
    None for ``root`` the folder that held the images. The run notes another ``root``.

    Raises:
        TrainingError: The folder is not that of a run, or its images are not those of its start.
        InterruptedRunError: Ctrl-C, SIGTERM or SIGHUP.
    """
    hardware = hardware or Hardware()
    run = Run(folder)
    progress = read_progress(run)
    recipe, data = load_recipe(str(run.recipe)), read_data(run)
    hardware.check(recipe)
    with interruptible(f"Interrupted before training went on. {resume_command(run)}"):
        images = _own_images(run, data, root)
        if len(progress.epochs) == recipe.epochs and run.evaluation.is_file():
            raise TrainingError(
                f"{folder} is finished: all of its stages are trained, its version is measured. "
                f"Draw its report: python -m training report {shlex.quote(str(folder))}"
            )
        if root is not None and hardware.rank == 0:
            move_data(run, root)
        images = replace(images, cache=choose_cache(cache or data.cache, folder))
        model = build_model(recipe.model, len(progress.labels))
        stage_data = images.by_stage(recipe)
        first = stage_data(recipe.stages[progress.stage])
        check_processes(hardware, recipe, images, first, progress)
    with resumable(run, progress, hardware.rank == 0):
        return _fit(run, recipe, model, stage_data, hardware, tracker, progress)


def find_rate(
    source: DataSource, recipe: Recipe, weights: str, stage: int, cache: str | None = None
) -> RangeTest:
    """Run the range test of one stage, from 0, on the model's first weights.

    Raises:
        TrainingError: The data or weights are not usable.
    """
    images = replace(read_images(source, recipe), cache=choose_cache(cache))
    model = _first_model(recipe, weights, images)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        return Fitting(model, recipe, images.by_stage(recipe), run, Hardware()).find_rate(stage)


def _first_model(recipe: Recipe, weights: str, images: RunImages) -> Classifier:
    torch.manual_seed(recipe.seed)
    state = find_weights(weights, backbone(recipe.model))
    return build_model(recipe.model, len(images.table.labels), state)


def _own_images(run: Run, data: RunData, root: Path | None) -> RunImages:
    """Read the images that a run began with.

    Raises:
        TrainingError: They are not there, or were changed.
    """
    root = root or data.root
    split = read_split(run.split)
    check_there(run, split, root)
    images = read_split_images(root, data.labels, split)
    if images.fingerprint() != data.fingerprint:
        raise TrainingError(
            f"The images in {root} are not those that {run.folder} began with: the names are the "
            "same, but not every file's content. Give --data the folder that holds them."
        )
    return images


def _begin(run: Run, recipe: Recipe, images: RunImages, weights: str) -> None:
    split, given, cache = images.split, Path(weights), images.cache
    data = {
        "root": str(images.table.root.resolve()),
        "labels": list(images.table.labels),
        "images": images.table.counts(),
        "train": len(split.train),
        "validation": len(split.validation),
        "test": len(split.test),
        "skipped": [{"file": image.file, "reason": image.reason} for image in images.skips.images],
        "fingerprint": images.fingerprint(),
        "weights": str(given.resolve()) if given.is_file() else weights,
        "cache": NO_CACHE if cache is None or cache.is_temporary else str(cache.path.resolve()),
    }
    with replacing(run.recipe) as partial:
        partial.write_text(recipe.to_yaml(), encoding="utf-8")
    write_data(run, data)
    write_split(split, run.split)


def _fit(
    run: Run,
    recipe: Recipe,
    model: Classifier,
    stage_data: Callable[[Stage], StageData],
    hardware: Hardware,
    tracker: str,
    progress: Progress,
) -> Finished | None:
    """Train what is left of a run, and finish it; return None in all processes but the first."""
    with tracking(tracker, run, recipe, hardware.rank, progress.steps) as trackers:
        Fitting(model, recipe, stage_data, run, hardware, trackers).run(progress)
    return None if hardware.rank else finish_training(run)
