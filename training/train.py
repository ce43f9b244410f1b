"""One training run: folder → table → split → fit → export → evaluate."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch

from model_loader import Metadata, Transform, load_model
from training.data.pixels import check_images, load_pixels
from training.data.split import Split, read_split, split_table, write_split
from training.data.table import ImageTable, read_folder
from training.errors import TrainingError
from training.evaluate import Evaluation, evaluate
from training.export import Provenance, export_version, write_metadata
from training.fitting.fit import Epoch, fit
from training.models.classifier import Classifier, build_model
from training.models.weights import find_weights
from training.recipe import Recipe, load_recipe
from training.run import Run, new_run, open_run


@dataclass(frozen=True)
class Trained:
    """What a run ended with.

    Attributes:
        run: Its folder.
        metadata: Of the exported version.
        evaluation: Of the exported version on the test images.
    """

    run: Run
    metadata: Metadata
    evaluation: Evaluation


def train(
    data: Path,
    recipe: Recipe,
    weights: str,
    groups: Path | None = None,
    save: Path | None = None,
) -> Trained:
    """Train, export and evaluate a model; nothing is written before training has ended.

    Args:
        data: The folder of class folders.
        recipe: How to train.
        weights: ``imagenet``, ``none`` or the path of a state dict.
        groups: A CSV of groups that a split must not tear apart.
        save: The run's folder; None for ``runs/<recipe>/<time>``.

    Raises:
        TrainingError: The data, the weights or the folder are not usable; see the message.
    """
    run = new_run(recipe.name, save)
    table = read_folder(data, groups)
    split = split_table(table, recipe.split.validation, recipe.split.test, recipe.seed)
    torch.manual_seed(recipe.seed)
    model = build_model(recipe.model, len(table.labels), find_weights(weights, recipe.model))
    transform = Transform.from_json(recipe.transform)
    training = load_pixels(data, split.train, table.labels, transform, "Reading training")
    validation = load_pixels(data, split.validation, table.labels, transform, "Reading validation")
    check_images(data, split.test, "Checking test")
    history = fit(model, recipe, training, validation)
    _write_run(run, recipe, table, split, history, model)
    metadata = export_run(run)
    evaluation = evaluate(load_model(str(run.model)), data, split.test)
    metadata = replace(metadata, metrics={"test": evaluation.to_json()})
    write_metadata(metadata, run.model)
    return Trained(run, metadata, evaluation)


def export_run(run: Run) -> Metadata:
    """Export the weights of a run's best epoch as a version, into ``run.model``.

    Raises:
        TrainingError: The run's files cannot be read, or the export fails its checks.
    """
    recipe = load_recipe(str(run.recipe))
    try:
        data = json.loads(run.data.read_text(encoding="utf-8"))
        state = torch.load(run.checkpoint, map_location="cpu", weights_only=True)
        model = build_model(recipe.model, len(data["labels"]))
        model.load_state_dict(state)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise TrainingError(f"The run {run.folder} cannot be read: {error}.") from error
    return export_version(
        model,
        run.model,
        name=recipe.name,
        labels=tuple(data["labels"]),
        transform=Transform.from_json(recipe.transform),
        provenance=Provenance(recipe=recipe.model_dump(), data=data),
    )


def evaluate_run(folder: Path, data: Path, engine: str | None) -> Evaluation:
    """Evaluate a run's exported version on the run's own test images.

    Raises:
        TrainingError: The folder is not that of a run, or an image is missing.
    """
    run = open_run(folder)
    return evaluate(load_model(str(run.model), engine), data, read_split(run.split).test)


def _write_run(
    run: Run,
    recipe: Recipe,
    table: ImageTable,
    split: Split,
    history: list[Epoch],
    model: Classifier,
) -> None:
    try:
        run.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        run.recipe.write_text(recipe.to_yaml(), encoding="utf-8")
        run.data.write_text(json.dumps(_describe(table, split), indent=2, ensure_ascii=False))
        write_split(split, run.split)
        with run.history.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(field.name for field in fields(Epoch))
            writer.writerows(asdict(epoch).values() for epoch in history)
        torch.save(model.state_dict(), run.checkpoint)
    except OSError as error:
        raise TrainingError(f"The run {run.folder} cannot be written: {error}.") from error


def _describe(table: ImageTable, split: Split) -> dict[str, object]:
    return {
        "labels": list(table.labels),
        "images": table.counts(),
        "train": len(split.train),
        "validation": len(split.validation),
        "test": len(split.test),
        "fingerprint": table.fingerprint(),
    }
