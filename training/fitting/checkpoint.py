"""After each epoch: its figures, a checkpoint to resume from, and the best weights so far."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from training.errors import TrainingError, because
from training.files.atomic import replacing
from training.fitting.epochs import Epoch, Measure, best_epoch, competing, write_history
from training.fitting.task import StageTask
from training.fitting.tracker import Tracker, epoch_figures
from training.models.classifier import Classifier
from training.output.progress import Advance, tell
from training.run import Run

import lightning  # isort: skip

_KEY = "progress"


@dataclass
class Progress:
    """The progress of a run.

    Attributes:
        labels: The class names in index order.
        stage: The stage of the last epoch, from 0.
        learning_rates: One for each stage that was begun: the recipe's, or the range test's.
        epochs: The figures of each epoch so far.
        steps: Number of training steps so far, in all stages.
        began: When this process began with the run, by ``time.perf_counter``.
        before: Seconds that processes before this one took, to the end of their last epoch.
    """

    labels: tuple[str, ...]
    stage: int = 0
    learning_rates: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    steps: int = 0
    began: float = field(default_factory=time.perf_counter, repr=False, compare=False)
    before: float = field(default=0.0, repr=False, compare=False)

    @property
    def elapsed(self) -> float:
        """Seconds that the run has taken so far."""
        return self.before + time.perf_counter() - self.began

    def best(self, sizes: Sequence[int]) -> int:
        """Return the number of the epoch whose weights are kept; see ``best_epoch``."""
        stages = [epoch.stage for epoch in self.epochs]
        return best_epoch(stages, [epoch.validation.loss for epoch in self.epochs], sizes)

    def to_plain(self, sizes: Sequence[int]) -> dict[str, Any]:
        """Return plain lists, texts and numbers for a checkpoint; ``sizes`` as in ``competing``."""
        among = competing([epoch.stage for epoch in self.epochs], sizes)
        return {
            "labels": list(self.labels),
            "stage": self.stage,
            "learning_rates": list(self.learning_rates),
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "steps": self.steps,
            "best_accuracy": max(self.epochs[i].validation.accuracy for i in among),
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Progress:
        """Read what ``to_plain`` returned."""
        epochs = [Epoch.from_dict(epoch) for epoch in values["epochs"]]
        return cls(
            labels=tuple(values["labels"]),
            stage=int(values["stage"]),
            learning_rates=list(values["learning_rates"]),
            epochs=epochs,
            steps=int(values["steps"]),
            before=epochs[-1].elapsed,
        )


class EpochRecorder(lightning.Callback):
    """Records the epochs of one stage."""

    def __init__(
        self,
        run: Run,
        model: Classifier,
        progress: Progress,
        sizes: Sequence[int],
        images: int,
        advance: Advance,
        trackers: Sequence[Tracker] = (),
    ) -> None:
        """Record into a run, and save the model's weights where they are the best.

        ``sizes`` has the size of images in each stage, ``images`` is the number of training images.
        """
        self._run = run
        self._model = model
        self._progress = progress
        self._sizes = sizes
        self._images = images
        self._advance = advance
        self._trackers = trackers
        self._began = 0.0

    def on_train_batch_start(
        self, trainer: object, pl_module: object, batch: object, batch_idx: int
    ) -> None:
        """Start the clock before an epoch's first step."""
        if not batch_idx:
            self._began = time.perf_counter()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any, **__: Any) -> None:
        """Log and count the step."""
        for log in self._trackers:
            loss = float(trainer.callback_metrics["step_loss_step"])
            log({"step/loss": loss}, "step", self._progress.steps)
        self._progress.steps += 1
        self._advance("")

    def on_validation_batch_end(self, *_: Any, **__: Any) -> None:
        """Count a batch that was measured."""
        self._advance("")

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Add the epoch's figures and write the checkpoint.

        Raises:
            TrainingError: The validation loss is not finite, or the disk is full.
        """
        assert isinstance(pl_module, StageTask)
        epoch = self._figures(trainer, pl_module)
        if not math.isfinite(epoch.validation.loss):  # after the epoch's last step
            raise pl_module.diverged("validation loss", epoch.validation.loss)
        self._progress.epochs.append(epoch)
        try:
            self._write(trainer, pl_module)
        except BaseException:
            self._progress.epochs.pop()  # it has no checkpoint
            raise
        # After the checkpoint: an epoch that a resumed run trains again is not logged twice.
        for log in self._trackers:
            log(epoch_figures(epoch, self._progress.labels), "epoch", epoch.epoch)
        done = sum(other.stage == epoch.stage for other in self._progress.epochs)
        tell(
            f"Epoch {done}/{pl_module.stage.epochs}: loss {epoch.step_loss:.3f}, "
            f"validation loss {epoch.validation.loss:.3f}, "
            f"accuracy {epoch.validation.accuracy:.1%}, {epoch.images_per_second:.0f} images/s"
        )

    def on_save_checkpoint(
        self, trainer: object, pl_module: object, checkpoint: dict[str, Any]
    ) -> None:
        """Add the record to the checkpoint."""
        checkpoint[_KEY] = self._progress.to_plain(self._sizes)

    def _figures(self, trainer: lightning.Trainer, task: StageTask) -> Epoch:
        train, validation = task.measures
        assert isinstance(train, Measure)
        assert isinstance(validation, Measure)
        seconds = time.perf_counter() - self._began
        return Epoch(
            stage=self._progress.stage,
            epoch=len(self._progress.epochs),
            learning_rate=float(trainer.optimizers[0].param_groups[0]["lr"]),
            step_loss=float(trainer.callback_metrics["step_loss_epoch"]),
            train=train.compute(),
            validation=validation.compute(),
            seconds=seconds,
            images_per_second=self._images / seconds,
            elapsed=self._progress.elapsed,
        )

    def _write(self, trainer: lightning.Trainer, task: StageTask) -> None:
        epochs, run = self._progress.epochs, self._run
        try:
            # The last checkpoint comes last: with it the epoch counts as done.
            if trainer.is_global_zero:
                if self._progress.best(self._sizes) == len(epochs) - 1:
                    with task.measured_weights():
                        save_atomically(self._model.state_dict(), run.checkpoint)
                write_history(epochs, self._progress.labels, run.history)
            trainer.save_checkpoint(run.last)  # every process takes part, the first one writes
        except OSError as error:
            raise TrainingError(
                f"The checkpoint of epoch {epochs[-1].epoch} cannot be written to "
                f"{run.last.parent}{because(error, run.again)}"
            ) from error


class WholeCheckpoints(lightning.pytorch.plugins.TorchCheckpointIO):
    """Writes beside the checkpoint, where Lightning's own uses the temporary folder."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint, whole or not at all."""
        save_atomically(checkpoint, Path(path))


def save_atomically(state: Mapping[str, Any], path: Path) -> None:
    """Save a state dict, whole or not at all.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    buffer = io.BytesIO()  # the errors of torch's own writer tell no reason
    torch.save(state, buffer)
    with replacing(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def read_progress(run: Run) -> Progress:
    """Read how far a run has come from its last checkpoint.

    Raises:
        TrainingError: There is none, or it cannot be read.
    """
    try:
        checkpoint = torch.load(run.last, map_location="cpu", weights_only=True)
        if not any(name.startswith("staged.") for name in checkpoint["state_dict"]):
            raise ValueError("another version of this project wrote it")
        return Progress.from_plain(checkpoint[_KEY])
    except FileNotFoundError as error:
        raise TrainingError(
            f"{run.folder} has no checkpoint to resume from: no epoch was finished. Train again."
        ) from error
    except Exception as error:
        # torch.load raises anything, depending on the bytes.
        raise TrainingError(f"The checkpoint {run.last} cannot be read: {error}") from error
