"""The figures of an evaluation: fractions with their intervals, classes, confusions, slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, top_k_accuracy_score

from training.data.contents import SkippedImage
from training.data.table import LabelledImage
from training.evaluation.answers import Answers
from training.evaluation.calibration import Calibration, reliability
from training.evaluation.threshold import Threshold, apply_threshold

CONFIDENCE = 0.95
"""The confidence of each interval."""

_TOP = 5
_MOST_PAIRS = 20
_SMALLEST_GROUP = 2


@dataclass(frozen=True)
class Interval:
    """The confidence interval of a fraction; both ends in 0…1."""

    low: float
    high: float


@dataclass(frozen=True)
class Share:
    """A fraction that was counted: ``right`` of ``n``, which is at least 1."""

    right: int
    n: int

    @property
    def value(self) -> float:
        """The fraction."""
        return self.right / self.n

    @property
    def interval(self) -> Interval:
        """Its 95 % interval by Wilson (1927)."""
        found = binomtest(self.right, self.n).proportion_ci(CONFIDENCE, method="wilson")
        return Interval(float(found.low), float(found.high))


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class; fractions of 1, None where there is nothing to count.

    Attributes:
        label: The class.
        precision: The share of right ones among the answers with this class.
        recall: The share of right answers among the images of this class.
        f1: The harmonic mean of both; 0 if one of them is 0 or None, None if both are.
        n: Number of its images.
        answered: Number of images answered with it.
        precision_interval: The 95 % interval of the precision.
        recall_interval: The 95 % interval of the recall.
    """

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    n: int
    answered: int
    precision_interval: Interval | None
    recall_interval: Interval | None


@dataclass(frozen=True)
class ConfusedPair:
    """Images of one class that were answered with another.

    Attributes:
        truth: Their class.
        answer: The class that they were taken for.
        n: Number of images.
        share: Their share of all images of their class.
    """

    truth: str
    answer: str
    n: int
    share: float


@dataclass(frozen=True)
class SliceFigures:
    """The figures of one source or group.

    Attributes:
        name: The source or group.
        accuracy: Fraction of right answers.
        n: Number of images.
        interval: The 95 % interval of the accuracy.
    """

    name: str
    accuracy: float
    n: int
    interval: Interval


@dataclass(frozen=True)
class Evaluation:
    """The figures of a version on a set of images; the most probable class is the answer.

    Attributes:
        accuracy: Fraction of right answers.
        interval: The 95 % interval of the accuracy.
        top5: Fraction of images whose class is among the five most probable; None with five classes
            or fewer.
        n: Number of images.
        classes: One entry for each label, in index order.
        confusion: ``confusion[i][j]`` images of class i were answered with class j.
        confused: The pairs that are confused most often, at most 20.
        sources: One entry for each source that is known, in order of the alphabet.
        groups: One entry for each group of two images or more, those with most mistakes first.
        calibration: The reliability of confidences.
        skipped: Images that could not be used; they count nowhere else.
        threshold: The effect of the version's rejection threshold on these images.
    """

    accuracy: float
    interval: Interval
    top5: float | None
    n: int
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    confused: tuple[ConfusedPair, ...]
    sources: tuple[SliceFigures, ...]
    groups: tuple[SliceFigures, ...]
    calibration: Calibration
    skipped: tuple[SkippedImage, ...] = ()
    threshold: Threshold | None = None

    @property
    def normalised(self) -> tuple[tuple[float, ...], ...]:
        """The confusion matrix as fractions of each class's images: rows sum to 1, or are 0."""
        counts = np.array(self.confusion, dtype=np.float64)
        rows = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        return tuple(tuple(row) for row in rows.tolist())

    def to_json(self) -> dict[str, Any]:
        """Return all figures, as ``evaluation.json`` keeps them."""
        return {**asdict(self), "confusion_normalised": self.normalised}

    def to_metrics(self) -> dict[str, Any]:
        """Return the 'metrics' of ``model.json``, which every client may read.

        They leave out matrices, which are large, and names of files, sources and groups.
        """
        keys = ("accuracy", "interval", "top5", "n", "classes")
        return {
            **{key: value for key, value in asdict(self).items() if key in keys},
            "ece": self.calibration.after.ece,
            "skipped": len(self.skipped),
        }


def measure(answers: Answers, temperature: float = 1.0, threshold: float = 0.0) -> Evaluation:
    """Compare answers, at least one, with the truth.

    The temperature changes confidences, not answers; only ``Evaluation.threshold`` depends on the
    threshold.
    """
    truth, probabilities = answers.truth, answers.probabilities(temperature)
    guesses = probabilities.argmax(axis=1)
    right = guesses == truth
    classes = range(len(answers.labels))
    matrix = confusion_matrix(truth, guesses, labels=classes)
    accuracy = Share(int(right.sum()), len(truth))
    return Evaluation(
        accuracy=accuracy.value,
        interval=accuracy.interval,
        top5=_top5(truth, probabilities),
        n=accuracy.n,
        classes=_classes(truth, guesses, answers.labels),
        confusion=tuple(tuple(row) for row in matrix.tolist()),
        confused=_confused(matrix, answers.labels),
        sources=_slices(answers.rows, right, lambda row: row.source or None),
        groups=_worst_groups(_slices(answers.rows, right, lambda row: row.group)),
        calibration=Calibration(
            temperature,
            before=reliability(answers.probabilities(1.0), truth),
            after=reliability(probabilities, truth),
        ),
        skipped=answers.skipped,
        threshold=apply_threshold(probabilities, truth, threshold),
    )


def _top5(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float | None:
    classes = probabilities.shape[1]
    if classes <= _TOP:
        return None
    return float(top_k_accuracy_score(truth, probabilities, k=_TOP, labels=range(classes)))


def _classes(
    truth: NDArray[np.int64], guesses: NDArray[np.int64], labels: tuple[str, ...]
) -> tuple[ClassFigures, ...]:
    found = []
    for i, label in enumerate(labels):
        hits = int(((truth == i) & (guesses == i)).sum())
        answered, n = int((guesses == i).sum()), int((truth == i).sum())
        precision, precision_interval = _fraction(hits, answered)
        recall, recall_interval = _fraction(hits, n)
        f1, _ = _fraction(2 * hits, answered + n)
        figures = precision, recall, f1, n, answered, precision_interval, recall_interval
        found.append(ClassFigures(label, *figures))
    return tuple(found)


def _fraction(right: int, n: int) -> tuple[float | None, Interval | None]:
    """Return a fraction and its 95 % interval; None of nothing."""
    share = Share(right, n)
    return (share.value, share.interval) if n else (None, None)


def _confused(matrix: NDArray[np.int64], labels: tuple[str, ...]) -> tuple[ConfusedPair, ...]:
    totals = matrix.sum(axis=1)
    pairs = [
        ConfusedPair(labels[i], labels[j], int(matrix[i, j]), float(matrix[i, j] / totals[i]))
        for i, j in np.argwhere(matrix > 0).tolist()
        if i != j
    ]
    pairs.sort(key=lambda pair: (-pair.n, -pair.share))
    return tuple(pairs[:_MOST_PAIRS])


def _slices(
    rows: tuple[LabelledImage, ...],
    right: NDArray[np.bool_],
    name_of: Callable[[LabelledImage], str | None],
) -> tuple[SliceFigures, ...]:
    found: dict[str, list[bool]] = {}
    for row, is_right in zip(rows, right.tolist(), strict=True):
        name = name_of(row)
        if name is not None:
            found.setdefault(name, []).append(is_right)
    shares = {name: Share(sum(found[name]), len(found[name])) for name in sorted(found)}
    return tuple(
        SliceFigures(name, share.value, share.n, share.interval) for name, share in shares.items()
    )


def _worst_groups(groups: tuple[SliceFigures, ...]) -> tuple[SliceFigures, ...]:
    several = [group for group in groups if group.n >= _SMALLEST_GROUP]
    return tuple(sorted(several, key=lambda group: -round(group.n * (1 - group.accuracy))))
