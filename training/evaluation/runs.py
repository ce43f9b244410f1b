"""Measuring an exported version: a run on its own images, a model on a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_loader import Model, load_model
from training.data.groups import rows_with_groups
from training.data.split import read_split
from training.data.table import read_folder
from training.errors import TrainingError
from training.evaluation.answers import Answers, answer_images
from training.evaluation.figures import Evaluation, measure
from training.output.progress import say, tell
from training.run import open_run
from training.run_data import has_own_images, read_data


@dataclass(frozen=True)
class Evaluated:
    """An evaluation, and the answers to choose a rejection threshold on.

    Attributes:
        evaluation: The figures.
        images: What was measured on, such as ``test images of RUN``.
        answers: A run's answers to its validation images, if they were asked for; a model's to the
            images that it was measured on.
        answered: The images of ``answers``, in words.
    """

    evaluation: Evaluation
    images: str
    answers: Answers | None
    answered: str


def evaluate_run(
    folder: Path,
    data: Path | None = None,
    groups: Path | None = None,
    engine: str | None = None,
    validation: bool = False,
) -> Evaluated:
    """Evaluate a run's exported version on the run's own test images; nothing is written.

    Args:
        folder: The run's folder.
        data: The folder that holds the images now; None for the one that did in training.
        groups: A CSV of groups and sources, in place of the split's.
        engine: ``torchscript`` or ``onnx``; None for ``torchscript``.
        validation: Whether to answer the validation images, too.

    Raises:
        TrainingError: The folder is not that of a run, or its images are not there.
    """
    run = open_run(folder)
    trained, split = read_data(run), read_split(run.split)
    root = data or trained.root
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
        say(said, "Note:", "yellow")
    tested = answer_images(model, root, rows, known=trained.skipped)
    answers = None
    if validation:
        answers = answer_images(model, root, split.validation, "Validation", trained.skipped)
    images, answered = (f"{part} images of {folder}" for part in ("test", "validation"))
    return Evaluated(_measure(model, tested), images, answers, answered)


def evaluate_folder(model: Model, folder: Path, groups: Path | None = None) -> Evaluated:
    """Evaluate a model on all images of a folder; of one that is split already, on its test part.

    Where it has no test part (as Tiny ImageNet, whose test images have no published labels), the
    validation part is taken.

    Raises:
        TrainingError: The folder or the groups will not do, or too many images cannot be used.
    """
    table = read_folder(folder)
    rows = table.to_measure()
    if table.parts:
        part = table.parts[rows[0].file]
        images = f"{part} images in {folder}"
        tell(f"{folder} is split already: its {len(rows):,} {part} images are evaluated.")
    else:
        images = f"images in {folder}"
        tell("If the model was trained with some of these images, the figures are too good.")
    if left_out := str(table.left_out):
        tell(left_out)
    if groups is not None:
        rows = rows_with_groups(rows, groups)
    answers = answer_images(model, folder, rows)
    return Evaluated(_measure(model, answers), images, answers, images)


def _measure(model: Model, answers: Answers) -> Evaluation:
    return measure(answers, model.metadata.temperature, model.metadata.threshold)
