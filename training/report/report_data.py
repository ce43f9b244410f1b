"""The data of a report: everything in a run folder."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from model_loader import Metadata, ModelUnavailableError
from training.data.split import Split, read_split
from training.data.table import ImageTable
from training.errors import TrainingError
from training.evaluation.answers import Answers, read_answers
from training.evaluation.figures import Evaluation, measure
from training.recipe import Recipe, load_recipe
from training.report.history import History, read_history
from training.run import Run, RunData, open_run, read_data


class StageSummary(NamedTuple):
    """One trained stage."""

    number: int  # from 1
    trained: str  # the trained layers, in words
    size: int  # of the images, pixels
    epochs: int
    rate: float | None  # highest learning rate; None where it was not recorded
    is_found: bool  # whether a range test chose the rate
    accuracy: float  # highest validation accuracy
    loss: float  # lowest validation loss
    seconds: float


@dataclass(frozen=True)
class ReportData:
    """A finished run."""

    run: Run
    root: Path  # of the images
    recipe: Recipe
    data: RunData
    split: Split
    history: History
    metadata: Metadata  # of the exported version
    answers: Answers  # of the exported version, to the test images
    evaluation: Evaluation  # of these answers

    @property
    def table(self) -> ImageTable:
        """All images of the run."""
        parts = (*self.split.train, *self.split.validation, *self.split.test)
        rows = sorted(parts, key=lambda row: (row.label, row.file))
        return ImageTable(self.root, self.data.labels, tuple(rows))

    @property
    def stages(self) -> list[StageSummary]:
        """The stages that were trained, in order."""
        epochs = self.history.epochs
        found = []
        for span in self.history.spans:
            stage, own = self.recipe.stages[span.number], slice(span.first, span.last + 1)
            is_auto = stage.learning_rate == "auto"
            rate = self.history.highest_rate(span.number)
            found.append(
                StageSummary(
                    number=span.number + 1,
                    trained=stage.name,
                    size=self.recipe.size(stage),
                    epochs=span.last - span.first + 1,
                    rate=rate if is_auto else float(stage.learning_rate),
                    is_found=is_auto,
                    accuracy=float(epochs["validation_accuracy"][own].max()),
                    loss=float(epochs["validation_loss"][own].min()),
                    seconds=float(epochs["seconds"][own].sum()),
                )
            )
        return found

    @property
    def command(self) -> str:
        """The command that trains the same model again."""
        parts = ["python", "-m", "training", "train", "--data", str(self.root)]
        parts += ["--recipe", str(self.run.recipe), "--split", str(self.run.split)]
        return shlex.join([*parts, "--weights", self.data.weights])


def read_report_data(folder: Path, root: Path | None = None) -> ReportData:
    """Read a run.

    Args:
        folder: The run folder.
        root: The folder of its images; None for the one it was trained on.

    Raises:
        TrainingError: It is not the folder of a run that was finished, or a file is damaged.
    """
    run = open_run(folder)
    data = read_data(run)
    metadata = _read_metadata(run)
    answers, split = read_answers(run.answers("test")), read_split(run.split)
    _check_whole(answers, split, run)
    recipe = load_recipe(str(run.recipe))
    return ReportData(
        run=run,
        root=root or data.root,
        recipe=recipe,
        data=data,
        split=split,
        history=read_history(run, data.labels, recipe.sizes),
        metadata=metadata,
        answers=answers,
        evaluation=measure(answers, metadata.temperature, metadata.threshold),
    )


def _check_whole(answers: Answers, split: Split, run: Run) -> None:
    there = len(answers.rows) + len(answers.skipped)
    if there != len(split.test):
        raise TrainingError(
            f"{run.answers('test')} has {there} lines, but {run.split} has {len(split.test)} test "
            f"images: one of them was cut short or changed. Measure the version again: "
            f"python -m training export {shlex.quote(str(run.folder))}"
        )


def _read_metadata(run: Run) -> Metadata:
    try:
        return Metadata.from_json((run.model / "model.json").read_bytes())
    except (OSError, ModelUnavailableError) as error:
        raise TrainingError(
            f"{run.folder} has no exported version that can be read. Export it again: "
            f"python -m training export {run.folder}"
        ) from error
