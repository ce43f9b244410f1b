"""A run's folder: where everything that one training writes lies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from training.errors import TrainingError


@dataclass(frozen=True)
class Run:
    """The places in a run's folder; nothing is written outside it."""

    folder: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.folder / "recipe.yaml"

    @property
    def split(self) -> Path:
        """Which image was in which part."""
        return self.folder / "split.csv"

    @property
    def data(self) -> Path:
        """Where the images lay, their classes and their fingerprint."""
        return self.folder / "data.json"

    @property
    def history(self) -> Path:
        """Loss and accuracy of each epoch."""
        return self.folder / "history.csv"

    @property
    def steps(self) -> Path:
        """Loss and learning rate of each step."""
        return self.folder / "steps.csv"

    @property
    def checkpoint(self) -> Path:
        """The weights of the best epoch."""
        return self.folder / "checkpoints" / "best.pt"

    @property
    def last(self) -> Path:
        """What an interrupted run is resumed from."""
        return self.folder / "checkpoints" / "last.ckpt"

    def range_test(self, stage: int) -> Path:
        """The learning-rate curve of a stage, which is counted from 0."""
        return self.folder / "lr-find" / f"stage-{stage + 1}.csv"

    @property
    def model(self) -> Path:
        """The exported version."""
        return self.folder / "model"

    @property
    def plots(self) -> Path:
        """The report's pictures."""
        return self.folder / "plots"

    @property
    def report(self) -> Path:
        """The page that shows everything."""
        return self.folder / "report.html"


def new_run(recipe: str, save: Path | None = None) -> Run:
    """Name the folder of a new run; it is not made yet.

    Args:
        recipe: The recipe's name.
        save: The folder to use; None for ``runs/<recipe>/<UTC time>``.

    Raises:
        TrainingError: The folder exists and is not empty, or it cannot be made.
    """
    folder = save or Path("runs") / recipe / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    try:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError as error:
        raise TrainingError(f"{folder} cannot be a folder: {error.strerror}.") from error
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise TrainingError(f"{folder} cannot be made: {existing} is no folder to write to.")
    if folder == existing and any(folder.iterdir()):
        raise TrainingError(f"{folder} exists already. Give --save a new or empty folder.")
    return Run(folder)


def is_run(folder: Path) -> bool:
    """Whether the folder is that of a run which ``train`` wrote."""
    run = Run(folder)
    return run.recipe.is_file() and run.checkpoint.is_file()


def open_run(folder: Path) -> Run:
    """Return a run that ``train`` wrote.

    Raises:
        TrainingError: The folder is not that of a run.
    """
    if not is_run(folder):
        raise TrainingError(
            f"{folder} is not the folder of a run: it has no recipe.yaml and checkpoints/best.pt. "
            "Give a folder that `python -m training train` wrote."
        )
    return Run(folder)
