"""The figures of each epoch, and the tables that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from training.files.csv_files import new_csv
from training.torchvision_import import torchvision  # noqa: F401  torchmetrics imports it

from torchmetrics import MeanMetric  # isort: skip
from torchmetrics.classification import (  # isort: skip
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
)

_TOP = 5


@dataclass(frozen=True)
class Figures:
    """Figures of one part of the data, in eval mode; fractions of 1.

    Attributes:
        loss: Mean over the images, as it is optimised but without augmentation.
        accuracy: Fraction of right answers.
        top5: Fraction of images whose class is among the five most probable; None with five classes
            or fewer, where it would be 1.
        precision: One value for each class, in index order, as in ``recall`` and ``f1``; None for
            one that is never answered, has no images, or both.
    """

    loss: float
    accuracy: float
    top5: float | None
    precision: tuple[float | None, ...]
    recall: tuple[float | None, ...]
    f1: tuple[float | None, ...]


@dataclass(frozen=True)
class Epoch:
    """The figures of one epoch.

    Attributes:
        stage: From 0.
        epoch: From 0, counted through all stages.
        learning_rate: The rate of the last step.
        step_loss: Mean loss of the steps, with augmentation and dropout.
        train: Figures on the training images.
        validation: Figures on the validation images.
        seconds: Wall time of training and measuring.
        images_per_second: Training images in each second of that time.
        elapsed: Seconds of the whole run to the end of this epoch: reading, decoding, features and
            range tests too; 0 in a run of before this was kept.
    """

    stage: int
    epoch: int
    learning_rate: float
    step_loss: float
    train: Figures
    validation: Figures
    seconds: float
    images_per_second: float
    elapsed: float = 0.0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Epoch:
        """Read what ``dataclasses.asdict`` returned."""
        parts = {
            name: Figures(**{k: _plain(v) for k, v in values[name].items()})
            for name in ("train", "validation")
        }
        return cls(**{**values, **parts})


def competing(stages: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """Return the numbers of the epochs whose weights may be exported.

    Those measured at the exported size; before there is one, those at the size of the latest.

    Args:
        stages: The stage of each epoch so far.
        sizes: The size of images in each stage of the recipe; the last is the exported one.
    """
    measured = [sizes[stage] for stage in stages]
    size = sizes[-1] if sizes[-1] in measured else measured[-1]
    return [number for number, its in enumerate(measured) if its == size]


def best_epoch(stages: Sequence[int], losses: Sequence[float], sizes: Sequence[int]) -> int:
    """Return the number of the competing epoch of the lowest validation loss, the first of equals.

    ``losses`` are the validation losses; see ``competing`` for the others.
    """
    return min(competing(stages, sizes), key=lambda number: losses[number])


class Measure(nn.Module):
    """Sums over the answers of one part; torchmetrics joins those of several processes."""

    def __init__(self, classes: int) -> None:
        """Begin with no answers."""
        super().__init__()
        self.loss = MeanMetric(nan_strategy="disable")  # NaN stays NaN
        self.top5 = MulticlassAccuracy(classes, top_k=min(_TOP, classes), average="micro")
        self.confusion = MulticlassConfusionMatrix(classes)

    def add(self, logits: Tensor, labels: Tensor, losses: Tensor) -> None:
        """Add a batch: logits [B, classes], labels int64 [B], losses [B]."""
        self.loss.update(losses)
        self.top5.update(logits, labels)
        self.confusion.update(logits, labels)

    def compute(self) -> Figures:
        """Return the figures so far, and reset the sums."""
        matrix: Tensor = self.confusion.compute().double()
        right, truths, answers = matrix.diag(), matrix.sum(1), matrix.sum(0)
        figures = Figures(
            loss=float(self.loss.compute()),
            accuracy=float(right.sum() / matrix.sum()),
            top5=float(self.top5.compute()) if len(right) > _TOP else None,
            precision=_fractions(right, answers),
            recall=_fractions(right, truths),
            f1=_fractions(2 * right, truths + answers),
        )
        for metric in (self.loss, self.top5, self.confusion):
            metric.reset()
        return figures


def _fractions(parts: Tensor, wholes: Tensor) -> tuple[float | None, ...]:
    """Return what fraction each part is of its whole; None of nothing."""
    pairs = zip(parts.tolist(), wholes.tolist(), strict=True)
    return tuple(part / whole if whole else None for part, whole in pairs)


def write_history(epochs: Sequence[Epoch], labels: Sequence[str], path: Path) -> None:
    """Write ``history.csv``, and the figures of each class beside it as ``history-classes.csv``."""
    scalars = [_scalars(epoch) for epoch in epochs]
    _write(path, list(scalars[0]), [row.values() for row in scalars])
    rows = [
        (epoch.epoch, part, label, *values)
        for epoch in epochs
        for part, figures in (("train", epoch.train), ("validation", epoch.validation))
        for label, *values in zip(
            labels, figures.precision, figures.recall, figures.f1, strict=True
        )
    ]
    columns = ["epoch", "part", "label", "precision", "recall", "f1"]
    _write(path.with_stem(f"{path.stem}-classes"), columns, rows)


def _scalars(epoch: Epoch) -> dict[str, float | None]:
    row: dict[str, float | None] = {}
    for name, value in asdict(epoch).items():
        if isinstance(value, dict):
            row |= {f"{name}_{key}": value[key] for key in ("loss", "accuracy", "top5")}
        else:
            row[name] = value
    return row


def _write(path: Path, columns: list[str], rows: Any) -> None:
    with new_csv(path, columns) as add:
        for row in rows:
            add(row)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
