"""Measuring an exported version: a run on its own images, a model on a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from model_loader import Model, load_model
from training.data.groups import rows_with_groups
from training.data.split import read_split
from training.data.table import read_folder
from training.errors import TrainingError
from training.evaluation.answers import Answers, answer_images
from training.evaluation.figures import Evaluation, measure
from training.output.progress import console, tell
from training.run import open_run
from training.run_data import has_own_images, read_data


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


def _measure(model: Model, answers: Answers) -> Evaluation:
    return measure(answers, model.metadata.temperature, model.metadata.threshold)
