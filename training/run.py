"""A run's folder: the paths of all files of one training."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from training.errors import TrainingError
from training.files.locks import unless_held
from training.output.terminal import is_unicode


@dataclass(frozen=True)
class Run:
    """The paths in a run's folder; nothing is written outside it.

    Raises:
        TrainingError: The folder's path is not UTF-8.
    """

    folder: Path

    def __post_init__(self) -> None:
        """Refuse a path that PyTorch and ONNX Runtime cannot open."""
        if not is_unicode(str(self.folder)):
            raise TrainingError(
                f"{self.folder}: the path of a run or a model must be UTF-8. Rename the folder, or "
                "give another."
            )

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.folder / "recipe.yaml"

    @property
    def split(self) -> Path:
        """The part of each image."""
        return self.folder / "split.csv"

    @property
    def data(self) -> Path:
        """The images' folder, classes and fingerprint; see ``run_data``."""
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
    def validation_steps(self) -> Path:
        """Loss of each batch of the validation images, after each epoch."""
        return self.folder / "steps-validation.csv"

    @property
    def checkpoint(self) -> Path:
        """The weights of the best epoch."""
        return self.folder / "checkpoints" / "best.pt"

    @property
    def last(self) -> Path:
        """The checkpoint that an interrupted run is resumed from."""
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
        """The report's images."""
        return self.folder / "plots"

    @property
    def report(self) -> Path:
        """The page that shows the whole run."""
        return self.folder / "report.html"

    def answers(self, part: Literal["validation", "test"]) -> Path:
        """The exported version's answers to the images of a part."""
        return self.folder / f"answers-{part}.csv"

    @property
    def evaluation(self) -> Path:
        """The exported version's figures on the test images."""
        return self.folder / "evaluation.json"

    @property
    def again(self) -> str:
        """The clause that says how to go on with a run that has stopped."""
        if self.last.is_file():
            return f"go on with: python -m training train --resume {shlex.quote(str(self.folder))}"
        return "train again: there is no epoch to go on from."

    @property
    def export_again(self) -> str:
        """The clause that says how to export the run again."""
        return f"export again: python -m training export {shlex.quote(str(self.folder))}"

    def discard(self) -> None:
        """Remove the files of a run without a finished epoch, and the folder if it is empty."""
        for path in self._written:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    @property
    def _written(self) -> tuple[Path, ...]:
        folders = ("cache", "tensorboard", "wandb")
        return (
            self.data,
            self.split,
            self.history,
            self.history.with_stem("history-classes"),
            self.steps,
            self.validation_steps,
            self.checkpoint.parent,
            self.range_test(0).parent,
            *(self.folder / name for name in folders),
            self.recipe,  # last: with it, the folder counts as a run's
        )


def new_run(recipe: str, save: Path | None = None) -> Run:
    """Name the folder of a new run; it is not made yet: see ``take``.

    Args:
        recipe: The recipe's name.
        save: The folder to use; None for ``runs/<recipe>/<UTC time>``.

    Raises:
        TrainingError: The folder to use is not empty, or it cannot be made.
    """
    folder = save or Path("runs") / recipe / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    try:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError as error:
        raise TrainingError(f"{folder} cannot be a folder: {error.strerror}.") from error
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise TrainingError(f"{folder} cannot be made: {existing} is no folder to write to.")
    if folder == existing and _is_unbegun(Run(folder)):
        unless_held(Run(folder).recipe, Run(folder).discard)
    if save is not None and folder.is_dir() and any(folder.iterdir()):
        raise _taken(folder)
    return Run(folder)


def take(run: Run, is_given: bool) -> Run:
    """Make a run's folder for one run alone, even if others ask for it at the same moment.

    Args:
        run: The run that ``new_run`` named.
        is_given: Whether the user chose the folder. Otherwise, if it is taken, the run gets another
            one: the same name with -2, -3 … behind it.

    Raises:
        TrainingError: The folder that the user chose is taken, or it cannot be made.
    """
    for number in itertools.count(1):
        name = run.folder.name if number == 1 else f"{run.folder.name}-{number}"
        taken = Run(run.folder.with_name(name))
        try:
            # Making a folder succeeds once; that of the run itself may be there, empty.
            taken.checkpoint.parent.mkdir(parents=True)
        except FileExistsError as error:
            if is_given:
                raise _taken(run.folder) from error
        except OSError as error:
            raise TrainingError(f"The run {run.folder} cannot be written: {error}.") from error
        else:
            break
    return taken


def _taken(folder: Path) -> TrainingError:
    return TrainingError(f"{folder} exists already. Give --save a new or empty folder.")


def _is_unbegun(run: Run) -> bool:
    """Whether a run was killed before an epoch of it was finished."""
    return (
        run.recipe.is_file()
        and run.data.is_file()
        and not any(path.exists() for path in (run.last, run.checkpoint, run.model))
    )


def is_run(folder: Path) -> bool:
    """Whether the folder is that of a run which ``train`` wrote."""
    run = Run(folder)
    return run.recipe.is_file() and run.checkpoint.is_file()


def model_address(text: str) -> str:
    """Return the address of an exported version: a run's folder stands for its own."""
    return str(Run(Path(text)).model) if is_run(Path(text)) else text


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
