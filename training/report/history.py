"""The tables that a run wrote while it trained."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.files.csv_files import open_csv
from training.fitting.epochs import best_epoch
from training.run import Run

Values = NDArray[np.float64]

FIGURES = ("precision", "recall", "f1")


class Span(NamedTuple):
    """The epochs of one stage; both count from 0, epochs through all stages."""

    number: int
    first: int
    last: int


@dataclass(frozen=True)
class History:
    """The figures of all epochs and steps.

    Attributes:
        epochs: Each column of ``history.csv``, [E].
        classes: By part and figure, [E, classes] in index order; NaN where it is not known.
        steps: Each column of ``steps.csv``; empty for a run that did not keep it.
        validation_steps: The same of ``steps-validation.csv``.
        ranges: Rates and smoothed losses of each stage with a range test.
        sizes: Image size of each stage of the recipe, in pixels.
    """

    epochs: Mapping[str, Values]
    classes: Mapping[tuple[str, str], Values]
    steps: Mapping[str, Values]
    validation_steps: Mapping[str, Values]
    ranges: Mapping[int, tuple[Values, Values]]
    sizes: Sequence[int]

    @property
    def spans(self) -> list[Span]:
        """The stages in order."""
        stages = self.epochs["stage"]
        found = []
        for number in np.unique(stages):
            where = np.flatnonzero(stages == number)
            found.append(Span(int(number), int(where[0]), int(where[-1])))
        return found

    @property
    def seconds(self) -> float:
        """The time of the whole run to the end of its last epoch; a sum of epochs in older runs."""
        whole = self.epochs.get("elapsed", np.zeros(1))[-1]
        return float(whole or self.epochs["seconds"].sum())

    @property
    def best(self) -> int:
        """The epoch whose weights were kept."""
        stages = self.epochs["stage"].astype(int).tolist()
        return best_epoch(stages, self.epochs["validation_loss"].tolist(), self.sizes)

    def highest_rate(self, stage: int) -> float | None:
        """Return the highest learning rate of a stage's steps, which its schedule rises to."""
        if not self.steps:
            return None
        rates = self.steps["learning_rate"][self.steps["stage"] == stage]
        return float(rates.max()) if len(rates) else None


def batch_times(steps: Mapping[str, Values]) -> Values:
    """Return where each batch of a table stands, in epochs: those of epoch e lie in e … e + 1."""
    times = steps["epoch"].copy()
    for epoch in np.unique(times):
        where = np.flatnonzero(steps["epoch"] == epoch)
        times[where] += (np.arange(len(where)) + 0.5) / len(where)
    return times


def read_history(run: Run, labels: Sequence[str], sizes: Sequence[int]) -> History:
    """Read the tables of a run.

    Args:
        run: The run.
        labels: The class names in index order.
        sizes: The size of images in each stage of its recipe, in pixels.

    Raises:
        TrainingError: One is missing or damaged.
    """
    try:
        epochs = _columns(run.history)
        return History(
            epochs,
            _classes(run.history.with_stem(f"{run.history.stem}-classes"), labels),
            _columns(run.steps) if run.steps.exists() else {},
            _columns(run.validation_steps) if run.validation_steps.exists() else {},
            dict(_ranges(run, len(np.unique(epochs["stage"])))),
            sizes,
        )
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise TrainingError(
            f"The history of {run.folder} cannot be read: {error!r}. Train again, or resume: "
            f"--resume {run.folder}"
        ) from error


def _ranges(run: Run, stages: int) -> Iterator[tuple[int, tuple[Values, Values]]]:
    for stage in range(stages):
        if run.range_test(stage).exists():
            columns = _columns(run.range_test(stage))
            yield stage, (columns["learning_rate"], columns["loss"])


def _columns(path: Path) -> dict[str, Values]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = [row for row in csv.reader(file) if row]
    numbers = [[_number(cell) for cell in row] for row in rows]
    values = np.array(numbers, dtype=np.float64).reshape(len(rows), len(header))
    return dict(zip(header, values.T, strict=True))


def _classes(path: Path, labels: Sequence[str]) -> dict[tuple[str, str], Values]:
    places = {label: number for number, label in enumerate(labels)}
    found: dict[tuple[str, str], list[list[float]]] = {}
    with open_csv(path) as reader:
        for row in reader:
            for figure in FIGURES:
                epochs = found.setdefault((row["part"], figure), [])
                while len(epochs) <= int(row["epoch"]):
                    epochs.append([np.nan] * len(labels))
                epochs[int(row["epoch"])][places[row["label"]]] = _number(row[figure])
    return {key: np.array(values) for key, values in found.items()}


def _number(cell: str) -> float:
    return float(cell) if cell else np.nan
