"""One stage as a Lightning module: optimizer, schedule, loss and measurements."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, OneCycleLR

from training.errors import TrainingError
from training.fitting.averaging import Average
from training.fitting.epochs import Measure
from training.fitting.loss import Loss
from training.fitting.thaw import StagedModel
from training.torchvision_import import torchvision  # noqa: F401  Lightning imports it

import lightning  # isort: skip

from training.recipe import Optimizers
from training.recipe_sections import Stage

_MOMENTUM = 0.9


class StageTask(lightning.LightningModule):
    """Trains a staged model for one stage."""

    def __init__(
        self,
        staged: StagedModel,
        stage: Stage,
        optimizer: Optimizers,
        loss: Loss,
        learning_rate: float,
        seed: int,
        classes: int,
        takes_images: bool,
        average: Average | None = None,
    ) -> None:
        """Set the stage up.

        ``takes_images`` is false where the inputs are outputs of the frozen layers; ``seed`` seeds
        dropout, together with the epoch; ``average`` is measured in place of the weights.
        """
        super().__init__()
        self.staged = staged
        self.stage = stage
        self.optimizer = optimizer
        self.loss = loss
        self.learning_rate = learning_rate
        self.seed = seed
        self.takes_images = takes_images
        self.average = average
        self.measures = torch.nn.ModuleList([Measure(classes), Measure(classes)])

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits for images, or for outputs of the frozen layers."""
        return self.staged.answer(inputs, self.takes_images)

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        """Seed dropout by seed and epoch before an epoch's first step.

        Lightning leaves out ``on_train_epoch_start`` in the first epoch of a resumed run.
        """
        if batch_idx:
            return
        self.staged.train()
        torch.manual_seed((self.seed * 1_000 + self.current_epoch) * 1_000 + self.global_rank)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the mean loss of a batch of (inputs, labels)."""
        inputs, labels = batch
        loss = self.loss(self(inputs), labels).mean()
        if not torch.isfinite(loss):
            raise self.diverged("loss", loss.item())
        self.log("step_loss", loss, on_epoch=True, on_step=True, sync_dist=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: object, batch_idx: int) -> None:
        """Add the step's weights to their average."""
        if self.average is not None:
            self.average.update()

    def on_validation_start(self) -> None:
        """Measure the average, not the last step's weights."""
        if self.average is not None:
            self.average.swap()

    def on_validation_end(self) -> None:
        """Put the last step's weights back."""
        if self.average is not None:
            self.average.swap()

    def measured_weights(self) -> AbstractContextManager[None]:
        """Give the model the weights that were measured, within this context."""
        return nullcontext() if self.average is None else self.average.shown()

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int, dataloader_idx: int) -> Tensor:
        """Measure a batch of the training images (loader 0) or the validation images (1).

        Returns:
            Its mean loss.
        """
        inputs, labels = batch
        logits = self(inputs).float()
        measure = self.measures[dataloader_idx]
        assert isinstance(measure, Measure)
        losses = self.loss(logits, labels)
        measure.add(logits, labels, losses)
        return losses.mean()

    def configure_optimizers(self) -> Any:
        """Return the stage's optimizer and schedule."""
        optimizer = make_optimizer(
            self.optimizer, self.staged, self.learning_rate, self.stage.weight_decay
        )
        schedule = self._schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _schedule(self, optimizer: Optimizer, steps: int) -> LRScheduler:
        if self.stage.schedule == "one_cycle":
            return OneCycleLR(optimizer, max_lr=self.learning_rate, total_steps=max(steps, 2))
        if self.stage.schedule == "cosine":
            return CosineAnnealingLR(optimizer, T_max=max(steps, 1))
        return ConstantLR(optimizer, factor=1.0)

    def diverged(self, what: str, value: float) -> TrainingError:
        """Return the error for a loss that is not finite any more."""
        return TrainingError(
            f"The {what} became {value} in stage {self.stage.name}, epoch {self.current_epoch}, at "
            f"the learning rate {self._rate():.2g}. The checkpoint of the epoch before is kept. "
            "Lower the stage's learning_rate."
        )

    def _rate(self) -> float:
        return float(self.trainer.optimizers[0].param_groups[0]["lr"])


def make_optimizer(
    name: Optimizers, staged: StagedModel, learning_rate: float, weight_decay: float
) -> Optimizer:
    """Return an optimizer of the thawed parameters alone."""
    parameters = [p for p in staged.parameters() if p.requires_grad]
    if name == "sgd":
        return SGD(parameters, learning_rate, momentum=_MOMENTUM, weight_decay=weight_decay)
    kind = AdamW if name == "adamw" else Adam
    return kind(parameters, learning_rate, weight_decay=weight_decay)
