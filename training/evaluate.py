"""How well an exported version answers: the file that ships, through the code that serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from model_loader import Model
from training.data.table import LabelledImage
from training.errors import TrainingError
from training.predict import classify_file
from training.progress import progress


@dataclass(frozen=True)
class ClassFigures:
    """How well one class is answered; fractions of 1.

    Attributes:
        label: The class.
        precision: Of the images answered with it, those that are it.
        recall: Of its images, those answered with it.
        f1: The harmonic mean of both.
        n: Number of its images.
    """

    label: str
    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True)
class Evaluation:
    """How well a version answers a set of images.

    Attributes:
        accuracy: Fraction of right answers.
        n: Number of images.
        classes: One entry for each label, in index order.
        confusion: ``confusion[i][j]`` images of class i were answered with class j.
    """

    accuracy: float
    n: int
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Return what ``model.json`` keeps under 'metrics'."""
        return asdict(self)


def evaluate(model: Model, root: Path, rows: Sequence[LabelledImage]) -> Evaluation:
    """Classify images one by one and compare with their labels.

    The most probable class counts as the answer, also below the rejection threshold.

    Raises:
        TrainingError: There is no image, a label is not one of the model's, or an image cannot
            be decoded.
    """
    labels = model.metadata.labels
    strange = sorted({row.label for row in rows} - set(labels))
    if strange:
        raise TrainingError(
            f"The data has the class {strange[0]!r}, which the model does not know; it knows "
            f"{', '.join(labels)}."
        )
    if not rows:
        raise TrainingError("There are no images to evaluate.")
    answers = []
    with progress("Evaluating", len(rows)) as advance:
        for row in rows:
            scores = classify_file(model, root / row.file).scores
            answers.append(max(labels, key=lambda label: scores[label]))
            advance("")
    return _compare([row.label for row in rows], answers, labels)


def _compare(truth: list[str], answers: list[str], labels: tuple[str, ...]) -> Evaluation:
    columns = precision_recall_fscore_support(
        truth, answers, labels=list(labels), zero_division=0.0
    )
    classes = tuple(
        ClassFigures(label, float(precision), float(recall), float(f1), int(n))
        for label, precision, recall, f1, n in zip(labels, *columns, strict=True)
    )
    matrix = confusion_matrix(truth, answers, labels=list(labels))
    right = sum(a == b for a, b in zip(truth, answers, strict=True))
    return Evaluation(
        accuracy=right / len(truth),
        n=len(truth),
        classes=classes,
        confusion=tuple(tuple(int(value) for value in row) for row in matrix),
    )
