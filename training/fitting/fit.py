"""Fitting a classifier to images, stage by stage, with Lightning."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from training.models.torchvision_import import torchvision  # noqa: F401  Lightning imports it too

import lightning  # isort: skip
from torchmetrics.classification import MulticlassAccuracy  # isort: skip

from training.data.pixels import PixelDataset
from training.fitting.features import compute_features
from training.models.classifier import Classifier, State
from training.progress import Advance, progress
from training.recipe import Recipe, Stage

Examples = Dataset[tuple[Tensor, ...]]
"""Items of (input, label's index)."""


@dataclass(frozen=True)
class Epoch:
    """The figures of one epoch.

    Attributes:
        stage: From 0.
        epoch: From 0, counted through all stages.
        train_loss: Mean cross-entropy over the epoch's steps, dropout on.
        validation_loss: Mean cross-entropy in eval mode.
        validation_accuracy: Fraction of the validation images, in eval mode.
        seconds: Wall time of training and validation.
    """

    stage: int
    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


def fit(
    model: Classifier, recipe: Recipe, training: PixelDataset, validation: PixelDataset
) -> list[Epoch]:
    """Train a model as its recipe says; leave it in eval mode with the best epoch's weights.

    While only the head is trained, the frozen backbone's outputs are computed once.

    Returns:
        Each epoch, in order; the best is that of the lowest validation loss.
    """
    progress_made = _History(model)
    weights = _class_weights(training.labels) if recipe.class_weights else None
    for number, stage in enumerate(recipe.stages):
        lightning.seed_everything(recipe.seed + number, verbose=False)
        network, examples = _inputs(model, stage, training, validation)
        network.train()  # Lightning keeps the mode that it finds
        train_batches = DataLoader(examples[0], recipe.batch_size, shuffle=True)
        validation_batches = DataLoader(examples[1], recipe.batch_size)
        task = _StageTask(network, stage, stage.epochs * len(train_batches), weights)
        with progress(f"Training {stage.thaw}", stage.epochs) as advance, _quiet():
            recorder = _Recorder(progress_made, number, advance)
            _trainer(stage, recorder).fit(task, train_batches, validation_batches)
    model.load_state_dict(progress_made.best_state)
    model.eval()
    return progress_made.epochs


def best_epoch(epochs: list[Epoch]) -> Epoch:
    """Return the epoch of the lowest validation loss."""
    return min(epochs, key=lambda epoch: epoch.validation_loss)


def _inputs(
    model: Classifier, stage: Stage, training: PixelDataset, validation: PixelDataset
) -> tuple[nn.Module, tuple[Examples, Examples]]:
    """Return the part of the model that a stage trains, and what it is fed with."""
    if stage.thaw == "all":
        return model, (training, validation)
    return model.classifier, (
        compute_features(model, training, "Training features"),
        compute_features(model, validation, "Validation features"),
    )


def _class_weights(labels: Tensor) -> Tensor:
    """Return float32 [classes]: the inverse of each class's share, 1 on average over images."""
    counts = torch.bincount(labels).float()
    return len(labels) / (len(counts) * counts)


class _History:
    """The epochs so far, and the weights of the best of them."""

    def __init__(self, model: Classifier) -> None:
        self.epochs: list[Epoch] = []
        self.best_state: State = {}
        self._model = model

    def add(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        if best_epoch(self.epochs) is epoch:
            state = self._model.state_dict()
            self.best_state = {key: value.clone() for key, value in state.items()}


class _StageTask(lightning.LightningModule):
    """One stage for Lightning: cross-entropy, AdamW, a one-cycle schedule."""

    def __init__(
        self, network: nn.Module, stage: Stage, steps: int, class_weights: Tensor | None
    ) -> None:
        super().__init__()
        self.network = network
        self.stage = stage
        self.steps = steps
        self.class_weights = class_weights
        self.accuracy = MulticlassAccuracy(average="micro")

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        inputs, labels = batch
        loss = cross_entropy(self.network(inputs), labels, weight=self.class_weights)
        self.log("train_loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        inputs, labels = batch
        logits = self.network(inputs)
        self.accuracy(logits, labels)
        self.log("validation_loss", cross_entropy(logits, labels))
        self.log("validation_accuracy", self.accuracy)

    def configure_optimizers(self) -> lightning.pytorch.utilities.types.OptimizerLRScheduler:
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.stage.learning_rate,
            weight_decay=self.stage.weight_decay,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=self.stage.learning_rate, total_steps=self.steps
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class _Recorder(lightning.Callback):
    """Adds each epoch of a stage to the history and to the progress bar."""

    def __init__(self, history: _History, stage: int, advance: Advance) -> None:
        self._history = history
        self._stage = stage
        self._advance = advance
        self._began = 0.0

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        self._began = time.perf_counter()

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        figures = {key: float(value) for key, value in trainer.callback_metrics.items()}
        epoch = Epoch(
            stage=self._stage,
            epoch=len(self._history.epochs),
            train_loss=figures["train_loss"],
            validation_loss=figures["validation_loss"],
            validation_accuracy=figures["validation_accuracy"],
            seconds=time.perf_counter() - self._began,
        )
        self._history.add(epoch)
        self._advance(
            f"loss {epoch.train_loss:.3f}, validation loss {epoch.validation_loss:.3f}, "
            f"accuracy {epoch.validation_accuracy:.1%}"
        )


def _trainer(stage: Stage, recorder: _Recorder) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=stage.epochs,
        callbacks=[recorder],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's advice off the screen: the images are in memory, workers would not help."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers")
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)
