"""The loss and learning rate of every step, as ``steps.csv``, and of every validation batch."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.errors import TrainingError, because
from training.files.atomic import replacing
from training.fitting.checkpoint import Progress
from training.run import Run

import lightning  # isort: skip

COLUMNS = ("stage", "epoch", "step", "loss", "learning_rate")
VALIDATION_COLUMNS = ("stage", "epoch", "batch", "loss")

_VALIDATION = 1
# The index of the validation images among the loaders of ``StageData.measured``.


class StepLog(lightning.Callback):
    """Appends the batches of each epoch; of several processes, those of the first one's share.

    It has to come before the ``EpochRecorder``, which counts steps and epochs: its steps are on the
    disk before an epoch counts as done, and a resumed run drops those of an unfinished epoch.
    """

    def __init__(self, run: Run, progress: Progress) -> None:
        """Log into a run; ``progress`` tells which epoch it is."""
        self._progress = progress
        self._steps = _Table(run, run.steps, COLUMNS)
        self._validation = _Table(run, run.validation_steps, VALIDATION_COLUMNS)
        self._rate = 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: object) -> None:
        """Drop the rows of an epoch that an interrupted run did not finish."""
        if trainer.is_global_zero:
            self._steps.begin(len(self._progress.epochs))
            self._validation.begin(len(self._progress.epochs))

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any, **__: Any) -> None:
        """Note the rate of this step: afterwards it is the next one's."""
        self._rate = float(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: object, pl_module: object, outputs: Any, *_: Any, **__: Any
    ) -> None:
        """Note a step."""
        at, loss = self._progress, float(outputs["loss"])
        self._steps.rows.append((at.stage, len(at.epochs), at.steps, loss, self._rate))

    def on_validation_batch_end(
        self,
        trainer: object,
        pl_module: object,
        outputs: Any,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Note a batch of the validation images."""
        if dataloader_idx == _VALIDATION:
            at, loss = self._progress, float(outputs)
            self._validation.rows.append((at.stage, len(at.epochs), batch_idx, loss))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: object) -> None:
        """Write the epoch's batches."""
        for table in (self._steps, self._validation):
            if trainer.is_global_zero:
                table.append()
            table.rows.clear()


class _Table:
    """A CSV file, and the rows that are not in it yet; the second column is the epoch."""

    def __init__(self, run: Run, path: Path, columns: Sequence[str]) -> None:
        self.rows: list[tuple[float, ...]] = []
        self._run = run
        self._path = path
        self._columns = columns

    def begin(self, epochs: int) -> None:
        """Keep the file's rows of the first ``epochs`` epochs; make it where there is none."""
        rows = [self._columns, *self._finished(epochs)]
        with self._writing(), replacing(self._path) as partial:
            _append(partial, rows)

    def append(self) -> None:
        with self._writing():
            _append(self._path, self.rows)

    def _finished(self, epochs: int) -> list[list[str]]:
        if not self._path.exists():
            return []
        with self._path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if len(row) == len(self._columns)][1:]
        return [row for row in rows if int(row[1]) < epochs]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            said = f"{self._path} cannot be written{because(error, self._run.again)}"
            raise TrainingError(said) from error


def _append(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
