"""A run's folder: where everything that one training writes lies."""

from __future__ import annotations

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
    def checkpoint(self) -> Path:
        """The weights of the best epoch."""
        return self.folder / "checkpoints" / "best.pt"

    @property
    def model(self) -> Path:
        """The exported version."""
        return self.folder / "model"


def new_run(recipe: str, save: Path | None = None) -> Run:
    """Name the folder of a new run; it is not made yet.

    Args:
        recipe: The recipe's name.
        save: The folder to use; None for ``runs/<recipe>/<UTC time>``.

    Raises:
        TrainingError: The folder exists and is not empty.
    """
    folder = save or Path("runs") / recipe / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
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
