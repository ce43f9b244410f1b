"""Calibration: the accuracy at each confidence, and the temperature that corrects it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

_BINS = 15
_LOWEST, _HIGHEST = 0.05, 20.0  # temperatures
_EXPECTED = 8
# Images whose truths are as the network expects, beside those that were answered.


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence lies in one range.

    Attributes:
        low: The lowest confidence.
        high: The highest, which belongs to the next bin.
        n: Number of answers.
        confidence: Their mean confidence; 0 if there is none.
        accuracy: The fraction of right ones; 0 if there is none.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy.

    Attributes:
        bins: Of equal width, from 0 to 1, empty ones too.
        ece: Expected calibration error: the bins' mean gap between confidence and accuracy,
            weighted by their numbers of answers.
    """

    bins: tuple[Bin, ...]
    ece: float


@dataclass(frozen=True)
class Calibration:
    """The reliability of confidences before and after a temperature."""

    temperature: float
    before: Reliability
    after: Reliability


def reliability(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], bins: int = _BINS
) -> Reliability:
    """Compare confidences with accuracy, in ranges of equal width (Guo et al. 2017, section 2).

    ``probabilities`` are [N, classes], ``truth`` is the index of the right class, [N].
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    found = []
    for i in range(bins):
        inside = place == i
        n = int(inside.sum())
        means = (float(confidence[inside].mean()), float(right[inside].mean())) if n else (0.0, 0.0)
        found.append(Bin(i / bins, (i + 1) / bins, n, *means))
    gap = sum(one.n * abs(one.confidence - one.accuracy) for one in found)
    return Reliability(tuple(found), gap / len(truth))


def fit_temperature(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Return the temperature under which the truth is most probable, 1 if little is known.

    It is the minimum of the negative log-likelihood over log-temperature (Guo et al., "On
    Calibration of Modern Neural Networks", ICML 2017, section 4.2) of these images and of eight
    more, whose truths are as the network expects: otherwise one mistake among few images would
    decide it. If every answer is right, nothing is known of how often the network errs, and the
    temperature stays 1.

    ``logits``, [N, classes], are those of images that the weights were not fitted to.
    """
    expected = softmax(logits, axis=1)

    def loss(log_temperature: float) -> float:
        scores = log_softmax(logits / math.exp(log_temperature), axis=1)
        seen = scores[np.arange(len(truth)), truth].sum()
        return -float(seen + _EXPECTED * (expected * scores).sum(axis=1).mean())

    if (logits.argmax(axis=1) == truth).all():
        return 1.0
    found = minimize_scalar(loss, bounds=(math.log(_LOWEST), math.log(_HIGHEST)), method="bounded")
    return math.exp(found.x) if loss(found.x) < loss(0.0) else 1.0
