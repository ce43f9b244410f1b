"""One training run: folder → table → split → fit → export → evaluate."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from model_loader import Metadata, ModelUnavailableError
from training.best import load_best
from training.check import check_network
from training.data.source import DataSource
from training.data.split import read_split, write_split
from training.errors import TrainingError, interruptible
from training.evaluation.figures import Evaluation
from training.evaluation.runs import Finished, finish_run, has_own_images
from training.export.int8 import Comparison, quantise_run
from training.export.torchscript import Provenance, calibrate_version, export_version
from training.files.atomic import replacing
from training.files.locks import hold
from training.fitting.checkpoint import Progress, read_progress
from training.fitting.feed import Material
from training.fitting.fit import Fitting
from training.fitting.hardware import Hardware
from training.fitting.lr_find import RangeTest
from training.fitting.stage_images import Images, check_processes, read_images, read_split_images
from training.fitting.stops import resumable, resume_command
from training.fitting.thaw import check_stages
from training.fitting.tracker import check_tracker, tracking
from training.models.classifier import backbone, build_model
from training.models.weights import find_weights
from training.output.progress import console
from training.pixels.cache_folder import NONE, check_cache, choose_cache
from training.recipe import Recipe, Stage, load_recipe
from training.run import (
    Run,
    RunData,
    check_there,
    exporting,
    move_data,
    new_run,
    read_data,
    take,
    write_data,
)

_NOT_BEGUN = "Interrupted before training began: no epoch is kept to go on from. Train again."


@dataclass(frozen=True)
class Trained:
    """What a run ended with.

    Attributes:
        run: Its folder.
        metadata: Of the exported version.
        evaluation: Of the exported version on the test images; None where none of them is left.
    """

    run: Run
    metadata: Metadata
    evaluation: Evaluation | None


def train(
    source: DataSource,
    recipe: Recipe,
    weights: str,
    save: Path | None = None,
    hardware: Hardware | None = None,
    tracker: str = "none",
    cache: str | None = None,
) -> Trained | None:
    """Train, export and evaluate a model; nothing is written before every file was read.

    Args:
        source: The images, and how they are split.
        recipe: How to train.
        weights: ``imagenet``, ``none``, the name of shipped weights, or a state dict's path.
        save: The run's folder; None for ``runs/<recipe>/<time>``.
        hardware: What to run on.
        tracker: ``none``, ``tensorboard`` or ``wandb``.
        cache: Of decoded pictures; see ``choose_cache``.

    Returns:
        What the run ended with; None in all processes but the first.

    Raises:
        TrainingError: The data, the weights or the folder are not usable; see the message.
        InterruptedRunError: Ctrl-C.
    """
    check_tracker(tracker)
    check_cache(cache)
    hardware = hardware or Hardware()
    hardware.check(recipe)
    check_stages(recipe)
    if hardware.world > 1 and save is None:
        raise TrainingError("Several processes need one folder to write to: give --save DIR.")
    run = Run(save) if save and hardware.rank else new_run(recipe.name, save)
    check_network(recipe)
    with interruptible(_NOT_BEGUN):
        images = replace(read_images(source, recipe), cache=choose_cache(cache, run.folder))
        labels = images.table.labels
        torch.manual_seed(recipe.seed)
        state = find_weights(weights, backbone(recipe.model))
        model = build_model(recipe.model, len(labels), state)
        if hardware.rank == 0:
            images.check_test()
        first = images.material(recipe, recipe.stages[0])
        check_processes(hardware, recipe, images, first, Progress(labels))
        materials = _materials(images, recipe, first)
        if hardware.rank == 0:
            run = take(run, save is not None)
    made = Progress(labels)
    with resumable(run, made, hardware.rank == 0):
        if hardware.rank == 0:
            _begin(run, recipe, images, weights)
            hold(run.recipe, made)
        with tracking(tracker, run, recipe, hardware.rank) as trackers:
            Fitting(model, recipe, materials, run, hardware, trackers).go_on(made)
        return _finish(run, hardware)


def resume(
    folder: Path,
    hardware: Hardware | None = None,
    tracker: str = "none",
    cache: str | None = None,
    root: Path | None = None,
) -> Trained | None:
    """Go on with a run that was interrupted, to the same end as if it had not been.

    Args:
        folder: The run's.
        hardware: What to run on.
        tracker: ``none``, ``tensorboard`` or ``wandb``.
        cache: Of decoded pictures; None for where they were kept.
        root: Where the images lie now; None for where they lay. The run notes the new place.

    Raises:
        TrainingError: The folder is not that of a run, or its images are not those of its start.
        InterruptedRunError: Ctrl-C.
    """
    check_tracker(tracker)
    check_cache(cache)
    hardware = hardware or Hardware()
    run = Run(folder)
    made = read_progress(run)
    recipe, data = load_recipe(str(run.recipe)), read_data(run)
    hardware.check(recipe)
    with interruptible(f"Interrupted before training went on. {resume_command(run)}"):
        images = _own_images(run, data, root)
        if len(made.epochs) == recipe.epochs and run.evaluation.is_file():
            raise TrainingError(
                f"{folder} is finished: all of its stages are trained, its version is measured. "
                f"Draw its report: python -m training report {shlex.quote(str(folder))}"
            )
        if root is not None and hardware.rank == 0:
            move_data(run, root)
        images = replace(images, cache=choose_cache(cache or data.cache, folder))
        model = build_model(recipe.model, len(made.labels))
        first = images.material(recipe, recipe.stages[made.stage])
        check_processes(hardware, recipe, images, first, made)
        materials = _materials(images, recipe, first, made.stage)
    with resumable(run, made, hardware.rank == 0):
        with tracking(tracker, run, recipe, hardware.rank, made.steps) as trackers:
            Fitting(model, recipe, materials, run, hardware, trackers).go_on(made)
        return _finish(run, hardware)


def _own_images(run: Run, data: RunData, root: Path | None) -> Images:
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


def find_rate(
    source: DataSource, recipe: Recipe, weights: str, stage: int, cache: str | None = None
) -> RangeTest:
    """Run the range test of one stage on the model's first weights.

    Decoded pictures are kept as ``choose_cache`` says.

    Raises:
        TrainingError: The recipe has no such stage, or the data or weights are not usable.
    """
    if stage >= len(recipe.stages):
        raise TrainingError(f"The recipe {recipe.name} has {len(recipe.stages)} stages.")
    check_stages(recipe)
    check_cache(cache)
    check_network(recipe)
    images = replace(read_images(source, recipe), cache=choose_cache(cache))
    torch.manual_seed(recipe.seed)
    state = find_weights(weights, backbone(recipe.model))
    model = build_model(recipe.model, len(images.table.labels), state)
    first = images.material(recipe, recipe.stages[stage])
    with tempfile.TemporaryDirectory() as folder:
        materials = _materials(images, recipe, first, stage)
        return Fitting(model, recipe, materials, Run(Path(folder)), Hardware()).find_rate(stage)


def export_run(
    run: Run,
    precision: float | None = None,
    int8: bool | None = None,
    root: Path | None = None,
) -> Metadata:
    """Export the weights of a run's best epoch as a version, into ``run.model``, and measure it.

    Where the images are not there any more, an earlier export's temperature, threshold and
    figures stay: they are of the same weights.

    Args:
        run: The run.
        precision: The fraction of right answers to reach by answering "unknown" when in doubt;
            None for the recipe's.
        int8: Whether to make the ONNX file int8, if its accuracy allows it; None for the recipe's.
        root: Where the images lie now; None for where they lay. The run notes the new place.

    Raises:
        TrainingError: The run's files cannot be read, the export fails its checks, or the
            precision or int8 was asked for here and cannot be had; the version is written then.
    """
    where = root or read_data(run).root
    here = has_own_images(run, where)
    recipe = load_recipe(str(run.recipe))
    wants_int8 = recipe.int8 if int8 is None else int8
    needs = "A threshold" if precision is not None else "int8" if wants_int8 else None
    if not here and (needs or root is not None):
        raise TrainingError(
            f"{needs or '--data'} needs the images that {run.folder} was trained with, but they "
            f"are not in {where}, or were changed. Give --data the folder that holds them."
        )
    if not here:
        said = (
            f"The images in {where} are gone or changed: temperature and figures stay. Where they "
            "only moved, give the new place: --data DIR."
        )
        console.print(said, markup=False, soft_wrap=True, highlight=False)
        with exporting(run):
            return _export_again(run)
    if root is not None:
        move_data(run, root)
    wanted = recipe.reject_below_precision if precision is None else precision
    finished, comparison = _make_version(run, wanted, wants_int8)
    if finished.unreachable and precision is not None:
        raise finished.unreachable
    if int8 and not (comparison and comparison.is_kept):
        raise TrainingError(f"Version {finished.metadata.version} is float32, not int8.")
    return finished.metadata


def _materials(
    images: Images, recipe: Recipe, first: Material, stage: int = 0
) -> Callable[[Stage], Material]:
    """Return what each stage is trained on; stages that agree in size and augmentation share it."""
    last, loaded = recipe.stages[stage], first

    def material(of: Stage) -> Material:
        nonlocal last, loaded
        if (of.size, of.augment) != (last.size, last.augment):
            last, loaded = of, images.material(recipe, of)
        return loaded

    return material


def _begin(run: Run, recipe: Recipe, images: Images, weights: str) -> None:
    split, given = images.split, Path(weights)
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
        "cache": NONE if images.cache is None else str(images.cache.resolve()),
    }
    with replacing(run.recipe) as partial:
        partial.write_text(recipe.to_yaml(), encoding="utf-8")
    write_data(run, data)
    write_split(split, run.split)


def _finish(run: Run, hardware: Hardware) -> Trained | None:
    if hardware.rank:
        return None
    console.print("Exporting TorchScript and ONNX, and comparing their answers", highlight=False)
    recipe = load_recipe(str(run.recipe))
    finished, _ = _make_version(run, recipe.reject_below_precision, recipe.int8)
    if finished.unreachable:
        said = f"{finished.unreachable} The version rejects nothing."
        console.print(said, markup=False, soft_wrap=True, highlight=False)
    return Trained(run, finished.metadata, finished.evaluation)


def _make_version(
    run: Run, precision: float | None, int8: bool
) -> tuple[Finished, Comparison | None]:
    """Export a run's best weights, and give the version its temperature, threshold and figures."""
    with exporting(run):
        _export(run)
        comparison = _quantise(run) if int8 else None
        return finish_run(run, precision, comparison), comparison


def _export(run: Run) -> Metadata:
    recipe, data = load_recipe(str(run.recipe)), read_data(run)
    return export_version(
        load_best(run, recipe, len(data.labels)),
        run.model,
        name=recipe.name,
        labels=data.labels,
        transform=recipe.transform(),
        provenance=Provenance(recipe.model_dump(mode="json"), data.shown),
    )


def _quantise(run: Run) -> Comparison | None:
    """Make the ONNX file int8 where that is possible, and say what it changed."""
    try:
        comparison = quantise_run(run)
    except TrainingError as error:
        console.print(str(error), markup=False, soft_wrap=True, highlight=False)
        return None
    console.print(str(comparison), markup=False, soft_wrap=True, highlight=False)
    return comparison


def _export_again(run: Run) -> Metadata:
    """Export, and keep what an earlier export was given."""
    try:
        earlier = Metadata.from_json((run.model / "model.json").read_bytes())
    except (OSError, ModelUnavailableError):
        return _export(run)
    if earlier.self_test.int8:
        raise TrainingError(
            f"The version in {run.model} is int8, and its figures are of that file. Making it "
            "again needs the images that it was trained with, so it stays as it is."
        )
    _export(run)
    return calibrate_version(run.model, earlier.temperature, earlier.threshold, earlier.metrics)
