"""The end of a run: the best weights are exported, and the version calibrated and measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from model_loader import Metadata, ModelUnavailableError, load_model
from training.data.split import read_split
from training.errors import TrainingError, because
from training.evaluation.answers import Answers, answer_images, write_answers
from training.evaluation.calibration import fit_temperature
from training.evaluation.figures import Evaluation, measure
from training.evaluation.threshold import UnreachablePrecisionError, choose_threshold
from training.export.int8 import Comparison, quantise_run
from training.export.torchscript import calibrate_version, export_version
from training.files.atomic import replacing
from training.models.classifier import Classifier, build_model
from training.output.progress import progress, tell
from training.recipe import Recipe, load_recipe
from training.run import Run
from training.run_data import RunData, has_own_images, move_data, read_data

_OPTIONS = ("reject_below_precision", "int8")
# Keys of the recipe that an export may change.


@dataclass(frozen=True)
class Finished:
    """A run with its exported version.

    Attributes:
        run: The run.
        metadata: ``model.json`` of the version, with its temperature, threshold and figures.
        evaluation: Figures on the test images; None where none of them is left.
        unreachable: Why there is no threshold, where a precision was asked for and not reached.
    """

    run: Run
    metadata: Metadata
    evaluation: Evaluation | None
    unreachable: UnreachablePrecisionError | None


def load_best(run: Run, recipe: Recipe, classes: int) -> Classifier:
    """Build a run's network, in eval mode, with the weights of its best epoch.

    Raises:
        TrainingError: The checkpoint cannot be read, or is not that of such a network.
    """
    try:
        state = torch.load(run.checkpoint, map_location="cpu", weights_only=True)
        model = build_model(recipe.model, classes)
        model.load_state_dict(state)
    except Exception as error:
        # torch.load raises anything, depending on the bytes.
        raise TrainingError(
            f"{run.checkpoint} does not hold the weights of a {recipe.model} with "
            f"{classes} classes. Train again, or resume: --resume {run.folder}"
        ) from error
    return model.eval()


def finish_training(run: Run) -> Finished:
    """Export and measure what a run has trained, as its recipe says."""
    finished, _ = _make_version(run, load_recipe(str(run.recipe)))
    if finished.unreachable:
        tell(f"{finished.unreachable} The version rejects nothing.")
    return finished


def export_run(
    run: Run,
    precision: float | None = None,
    int8: bool | None = None,
    root: Path | None = None,
) -> Metadata:
    """Export the weights of a run's best epoch as a version, into ``run.model``, and measure it.

    An option that is not given stays as in the export before: the version's recipe notes it.
    Without the images, an earlier export's temperature, threshold and figures stay: they are of
    the same weights.

    Args:
        run: The run.
        precision: The fraction of right answers to reach by answering "unknown" when in doubt; 0
            for no threshold, None for that of the export before, or the recipe's.
        int8: Whether to make the ONNX file int8, if its accuracy allows it; None for what the
            export before has, or the recipe's.
        root: The folder that holds the images now; None for the one that did. The run notes it.

    Raises:
        TrainingError: The run's files cannot be read, the export fails its checks, or the
            precision or int8 was asked for here and not reached; the version is written then.
    """
    where = root or read_data(run).root
    here = has_own_images(run, where)
    earlier = read_exported(run)
    recipe = _with_options(load_recipe(str(run.recipe)), earlier, precision, int8)
    was_int8 = earlier is not None and bool(earlier.self_test.int8)
    changed_int8 = "int8" if recipe.int8 else "--no-int8" if was_int8 else None
    needs = "A threshold" if precision else changed_int8
    if not here and (needs or root is not None):
        raise TrainingError(
            f"{needs or '--data'} needs the images that {run.folder} was trained with, but they "
            f"are not in {where}, or were changed. Give --data the folder that holds them."
        )
    if not here:
        tell(
            f"The images in {where} are gone or changed: temperature and figures stay. Where they "
            "only moved, give the new place: --data DIR."
        )
        with _exporting(run):
            exported = _export(run, recipe)
            if earlier is None:
                return exported
            threshold = 0.0 if precision == 0 else earlier.threshold
            return calibrate_version(run.model, earlier.temperature, threshold, earlier.metrics)
    if root is not None:
        move_data(run, root)
    finished, comparison = _make_version(run, recipe)
    if finished.unreachable and precision is not None:
        raise finished.unreachable
    if int8 and not (comparison and comparison.is_kept):
        raise TrainingError(f"Version {finished.metadata.version} is float32, not int8.")
    return finished.metadata


def read_exported(run: Run) -> Metadata | None:
    """Return ``model.json`` of a run's last export; None where there is none, or it is damaged."""
    try:
        return Metadata.from_json((run.model / "model.json").read_bytes())
    except (OSError, ModelUnavailableError):
        return None


def _with_options(
    recipe: Recipe, earlier: Metadata | None, precision: float | None, int8: bool | None
) -> Recipe:
    """Return the recipe with the options of an export, and with those that it does not change."""
    options: dict[str, Any] = {}
    if earlier is not None:
        options = {key: earlier.recipe.get(key, getattr(recipe, key)) for key in _OPTIONS}
        options["int8"] = bool(options["int8"] or earlier.self_test.int8)
    if precision is not None:
        options["reject_below_precision"] = precision or None
    if int8 is not None:
        options["int8"] = int8
    return recipe.model_copy(update=options)


def finish_run(run: Run, precision: float | None, int8: Comparison | None = None) -> Finished:
    """Give a run's exported version a temperature, a threshold and figures, and keep its answers.

    Temperature and threshold are found on the validation images, the figures on the test images,
    each answered by the exported file, or by the int8 file where that was made. Images that have
    disappeared since training began are named and counted; the others are enough.

    Args:
        run: A run with an exported version.
        precision: The fraction of right answers that the threshold is chosen for; None for no
            threshold.
        int8: What making the ONNX file int8 changed; None where that was not tried.

    Raises:
        OSError: A file cannot be written.
    """
    is_int8 = int8 is not None and int8.is_kept
    model = load_model(str(run.model), "onnx" if is_int8 else None)
    data, split = read_data(run), read_split(run.split)
    validation, test = (
        answer_images(model, data.root, rows, title, data.skipped, takes_what_is_left=True)
        for rows, title in ((split.validation, "Calibrating"), (split.test, "Evaluating"))
    )
    _tell_what_is_gone(run, data, "validation", validation, "the temperature is")
    _tell_what_is_gone(run, data, "test", test, "the figures are")
    temperature = fit_temperature(validation.logits, validation.truth)
    threshold, unreachable = 0.0, None
    if precision is not None and validation.rows:
        try:
            probabilities = validation.probabilities(temperature)
            threshold = choose_threshold(probabilities, validation.truth, precision).value
        except UnreachablePrecisionError as error:
            unreachable = error
    evaluation = measure(test, temperature, threshold) if test.rows else None
    metrics: dict[str, Any] = {"test": evaluation.to_metrics()} if evaluation else {}
    if int8 is not None and is_int8:
        metrics |= {"measured": "model.onnx", "int8": int8.to_json()}
    metadata = calibrate_version(run.model, temperature, threshold, metrics)
    write_answers(validation, temperature, run.answers("validation"))
    if evaluation is not None:
        write_answers(test, temperature, run.answers("test"))
        text = json.dumps(evaluation.to_json(), indent=2, ensure_ascii=False)
        with replacing(run.evaluation) as partial:
            # File names may be no Unicode; JSON has an escape for what they hold.
            partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    return Finished(run, metadata, evaluation, unreachable)


def _make_version(run: Run, recipe: Recipe) -> tuple[Finished, Comparison | None]:
    comparison = None
    with _exporting(run):
        _export(run, recipe)
        if recipe.int8:
            try:
                comparison = quantise_run(run)
                tell(str(comparison))
            except TrainingError as error:
                tell(str(error))
        return finish_run(run, recipe.reject_below_precision, comparison), comparison


def _export(run: Run, recipe: Recipe) -> Metadata:
    data = read_data(run)
    with progress("Exporting TorchScript and ONNX, and comparing their answers", None):
        return export_version(
            load_best(run, recipe, len(data.labels)),
            run.model,
            name=recipe.name,
            labels=data.labels,
            transform=recipe.transform(),
            recipe=recipe.model_dump(mode="json"),
            data=data.shown,
        )


@contextmanager
def _exporting(run: Run) -> Iterator[None]:
    """Say how to export a run again where a file cannot be written."""
    try:
        yield
    except OSError as error:
        message = f"The version in {run.folder} cannot be written{because(error, run.export_again)}"
        raise TrainingError(message) from error


def _tell_what_is_gone(run: Run, data: RunData, part: str, answers: Answers, result: str) -> None:
    gone = len(answers.skipped) - len(set(answers.skipped) & set(data.skipped))
    if gone:
        left = f"{result} of the other {len(answers.rows):,}" if answers.rows else "none is left"
        tell(
            f"{gone:,} of the {gone + len(answers.rows):,} {part} images cannot be used any more: "
            f"{left}. Put them back and {run.export_again}"
        )
