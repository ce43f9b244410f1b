"""Measuring what was exported: a run on its own images, a model on a folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from model_loader import Metadata, Model, load_model
from training.data.contents import Skips, fingerprint, read_contents
from training.data.groups import rows_with_groups
from training.data.split import PARTS, read_split
from training.data.table import read_folder
from training.errors import TrainingError
from training.evaluation.answers import Answers, answer_images, write_answers
from training.evaluation.calibration import fit_temperature
from training.evaluation.figures import Evaluation, measure
from training.evaluation.threshold import UnreachableError, choose_threshold
from training.export.int8 import Comparison
from training.export.torchscript import calibrate_version
from training.files.atomic import replacing
from training.output.progress import console, tell
from training.run import Run, RunData, open_run, read_data


@dataclass(frozen=True)
class Finished:
    """What a run's exported version was given.

    Attributes:
        metadata: With its temperature, threshold and figures.
        evaluation: On the test images; None where none of them is left.
        unreachable: Why there is no threshold, where a precision was asked for and not reached.
    """

    metadata: Metadata
    evaluation: Evaluation | None
    unreachable: UnreachableError | None


@dataclass(frozen=True)
class Evaluated:
    """An evaluation, and what to choose a rejection threshold on.

    Attributes:
        evaluation: The figures.
        held: Answers to the run's validation images, where they were asked for; of a model, to
            all images of the folder.
    """

    evaluation: Evaluation
    held: Answers | None


def finish_run(run: Run, precision: float | None, int8: Comparison | None = None) -> Finished:
    """Give a run's exported version a temperature, a threshold and figures, and keep its answers.

    Temperature and threshold are found on the validation images, the figures on the test images,
    each answered by the exported file; where it has been made int8, by that one. Images that have
    disappeared since training began are named and counted, and the others are enough.

    Args:
        run: With an exported version.
        precision: The fraction of right answers that the threshold is chosen for; None for no
            threshold.
        int8: What making its ONNX file int8 changed; None where that was not tried.

    Raises:
        OSError: A file cannot be written.
    """
    is_int8 = int8 is not None and int8.is_kept
    model = load_model(str(run.model), "onnx" if is_int8 else None)
    kept, split = read_data(run), read_split(run.split)
    held, tested = (
        answer_images(model, kept.root, rows, title, kept.skipped, takes_what_is_left=True)
        for rows, title in ((split.validation, "Calibrating"), (split.test, "Evaluating"))
    )
    for part, answers, result in (
        ("validation", held, "the temperature is"),
        ("test", tested, "the figures are"),
    ):
        _say_what_is_gone(run, kept, part, answers, result)
    temperature = fit_temperature(held.logits, held.truth)
    threshold, unreachable = 0.0, None
    if precision is not None and held.rows:
        try:
            probabilities = held.probabilities(temperature)
            threshold = choose_threshold(probabilities, held.truth, precision).value
        except UnreachableError as error:
            unreachable = error
    evaluation = measure(tested, temperature, threshold) if tested.rows else None
    metrics: dict[str, Any] = {"test": evaluation.to_metrics()} if evaluation else {}
    if int8 is not None and is_int8:
        metrics |= {"measured": "model.onnx", "int8": int8.to_json()}
    metadata = calibrate_version(run.model, temperature, threshold, metrics)
    write_answers(held, temperature, run.answers("validation"))
    if evaluation is not None:
        write_answers(tested, temperature, run.answers("test"))
        _write_evaluation(evaluation, run.evaluation)
    return Finished(metadata, evaluation, unreachable)


def evaluate_run(
    folder: Path,
    data: Path | None = None,
    groups: Path | None = None,
    engine: str | None = None,
    validation: bool = False,
) -> Evaluated:
    """Evaluate a run's exported version on the run's own test images; nothing is written.

    Args:
        folder: The run's.
        data: Where the images lie now; None for where they lay when it was trained.
        groups: A CSV of groups and sources, in place of what the run's split says.
        engine: ``torchscript`` or ``onnx``; None for ``torchscript``.
        validation: Whether to answer the validation images, too.

    Raises:
        TrainingError: The folder is not that of a run, or its images are not there.
    """
    run = open_run(folder)
    kept, split = read_data(run), read_split(run.split)
    root = data or kept.root
    if not any((root / row.file).is_file() for row in split.test):
        raise TrainingError(
            f"None of the {len(split.test)} test images of {folder} is below {root}. Give --data "
            f"the folder that it was trained on; other images are evaluated by `python -m "
            f"training evaluate {run.model} --data DIR`."
        )
    model = load_model(str(run.model), engine)
    rows = split.test if groups is None else rows_with_groups(split.test, groups)
    if not has_own_images(run, root):
        said = f"The images in {root} are not those that {folder} was trained with"
        said += " (their fingerprint differs)."
        console.print(Text("Note", "yellow"), said, soft_wrap=True)
    tested = answer_images(model, root, rows, known=kept.skipped)
    held = None
    if validation:
        held = answer_images(model, root, split.validation, "Validation", kept.skipped)
    return Evaluated(_measure(model, tested), held)


def evaluate_folder(model: Model, folder: Path, groups: Path | None = None) -> Evaluated:
    """Evaluate a model on all images of a folder; of one that is split already, on its test part.

    Where it has no test part (as Tiny ImageNet, whose test images have no published labels), the
    validation part is taken.

    Raises:
        TrainingError: The folder or the groups will not do, or too many images cannot be used.
    """
    table = read_folder(folder)
    rows = table.held_out()
    if table.parts:
        part = table.parts[rows[0].file]
        tell(f"{folder} is split already: its {len(rows):,} {part} images are evaluated.")
    if left_out := str(table.left_out):
        tell(left_out)
    if groups is not None:
        rows = rows_with_groups(rows, groups)
    answers = answer_images(model, folder, rows)
    return Evaluated(_measure(model, answers), answers)


def has_own_images(run: Run, root: Path) -> bool:
    """Whether a folder holds the images that a run was trained with, byte for byte."""
    split = read_split(run.split)
    rows = sorted((row for name in PARTS for row in split.part(name)), key=lambda row: row.file)
    if not all((root / row.file).is_file() for row in rows):
        return False
    contents = read_contents(root, rows, "Comparing files", Skips(len(rows)))
    return fingerprint(rows, contents) == read_data(run).fingerprint


def _say_what_is_gone(run: Run, kept: RunData, part: str, answers: Answers, result: str) -> None:
    gone = len(answers.skipped) - len(set(answers.skipped) & set(kept.skipped))
    if not gone:
        return
    left = f"{result} of the other {len(answers.rows):,}" if answers.rows else "none is left"
    console.print(
        f"{gone:,} of the {gone + len(answers.rows):,} {part} images cannot be used any more: "
        f"{left}. Put them back and {run.export_again}",
        markup=False,
        soft_wrap=True,
        highlight=False,
    )


def _measure(model: Model, answers: Answers) -> Evaluation:
    return measure(answers, model.metadata.temperature, model.metadata.threshold)


def _write_evaluation(evaluation: Evaluation, path: Path) -> None:
    text = json.dumps(evaluation.to_json(), indent=2, ensure_ascii=False)
    with replacing(path) as partial:
        # File names may be no Unicode; JSON has an escape for what they hold.
        partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
