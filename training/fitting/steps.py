"""The loss and the learning rate of every single step, as ``steps.csv``."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.atomic import replacing
from training.errors import TrainingError, because
from training.fitting.checkpoint import Progress
from training.run import Run

import lightning  # isort: skip

COLUMNS = ("stage", "epoch", "step", "loss", "learning_rate")


class StepLog(lightning.Callback):
    """Appends the steps of each epoch; of several processes, those of the first one's share.

    It has to come before the ``Recorder``, which counts steps and keeps epochs: its steps are on
    the disk before an epoch counts as done, and a resumed run drops those of an epoch that was not.
    """

    def __init__(self, run: Run, progress: Progress) -> None:
        """Log into a run; ``progress`` tells which epoch it is."""
        self._run = run
        self._progress = progress
        self._rows: list[tuple[int, int, int, float, float]] = []
        self._rate = 0.0

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Drop what an interrupted run wrote of an epoch that it did not finish."""
        if trainer.is_global_zero:
            rows = [COLUMNS, *self._finished()]
            with self._writing(), replacing(self._run.steps) as partial:
                _append(partial, rows)

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Note the rate that this step is made with: afterwards it is the next one's."""
        self._rate = float(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Note a step."""
        made, loss = self._progress, float(outputs["loss"])
        self._rows.append((made.stage, len(made.epochs), made.steps, loss, self._rate))

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Write the epoch's steps."""
        if trainer.is_global_zero:
            with self._writing():
                _append(self._run.steps, self._rows)
        self._rows = []

    def _finished(self) -> list[list[str]]:
        if not self._run.steps.exists():
            return []
        with self._run.steps.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if len(row) == len(COLUMNS)][1:]
        return [row for row in rows if int(row[1]) < len(self._progress.epochs)]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            said = f"{self._run.steps} cannot be written{because(error, self._run.again)}"
            raise TrainingError(said) from error


def _append(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
