"""The confidence below which a version answers "unknown"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError


class UnreachablePrecisionError(TrainingError):
    """No threshold makes the remaining answers as precise as was asked for."""


@dataclass(frozen=True)
class Threshold:
    """The effect of a rejection threshold on a set of answers.

    Attributes:
        value: The confidence below which an answer is "unknown", 0…1; 0 rejects nothing.
        precision: The fraction of right ones among the remaining answers; None if there is
            none.
        coverage: The fraction of the images whose answers remain.
        n: Number of all images.
    """

    value: float
    precision: float | None
    coverage: float
    n: int


def apply_threshold(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], value: float
) -> Threshold:
    """Apply a threshold to probabilities [N, classes] with the truth [N]."""
    kept = probabilities.max(axis=1) >= value
    right = probabilities.argmax(axis=1) == truth
    precision = float(right[kept].mean()) if kept.any() else None
    return Threshold(value, precision, float(kept.mean()), len(truth))


def choose_threshold(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], precision: float
) -> Threshold:
    """Return the lowest threshold at which the remaining answers reach a precision, 0…1.

    It lies half-way between two confidences that were seen, so that rounding decides nothing.
    ``probabilities``, [N, classes], are those after the temperature.

    Raises:
        UnreachablePrecisionError: There is none; it names the highest precision possible.
    """
    right = probabilities.argmax(axis=1) == truth
    values, index = np.unique(probabilities.max(axis=1), return_inverse=True)
    kept = _from_each_on(np.bincount(index))
    precise = _from_each_on(np.bincount(index, weights=right)) / kept
    reached = np.flatnonzero(precise >= precision)
    if not reached.size:
        best = int(precise.argmax())
        raise UnreachablePrecisionError(
            f"No threshold makes {precision:.4g} of the answers right: of these {len(truth)} "
            f"images, the most that can be had is {precise[best]:.4g}, of the {int(kept[best])} "
            f"answers of a confidence from {values[best]:.4g} on. Ask for less."
        )
    first = int(reached[0])
    value = float(values[first - 1 : first + 1].mean()) if first else 0.0
    return apply_threshold(probabilities, truth, value)


def _from_each_on(counts: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each entry, the sum of it and of all that follow."""
    sums: NDArray[np.float64] = counts[::-1].cumsum()[::-1].astype(np.float64)
    return sums
