"""The threshold is the lowest that makes the answers that are left precise enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.threshold import (
    Threshold,
    UnreachablePrecisionError,
    apply_threshold,
    choose_threshold,
)


def answers(
    *confidences: float, wrong: tuple[int, ...] = ()
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return answers of two classes, all for the first, and the truth."""
    probabilities = np.array([[value, 1 - value] for value in confidences])
    return probabilities, np.array([int(i in wrong) for i in range(len(confidences))])


def test_it_lies_between_the_doubtful_answer_and_the_next() -> None:
    found = choose_threshold(*answers(0.9, 0.8, 0.7, 0.6, wrong=(3,)), precision=1.0)
    assert found == replace(Threshold(0.65, precision=1.0, coverage=0.75, n=4), value=found.value)
    assert found.value == pytest.approx(0.65)


def test_it_is_the_lowest_also_where_a_higher_one_would_do() -> None:
    # From 0.6 on 3 of 4 are right, from 0.7 on 2 of 3, from 0.8 on 1 of 2, from 0.9 on 1 of 1.
    given = answers(0.9, 0.8, 0.7, 0.6, 0.55, 0.52, wrong=(1, 4, 5))
    assert choose_threshold(*given, precision=0.75).value == pytest.approx(0.575)
    assert choose_threshold(*given, precision=0.76).value == pytest.approx(0.85)


def test_nothing_is_rejected_where_the_precision_is_reached_without() -> None:
    found = choose_threshold(*answers(0.9, 0.8, 0.7, 0.6, wrong=(3,)), precision=0.75)
    assert found == Threshold(0.0, precision=0.75, coverage=1.0, n=4)


def test_answers_of_one_confidence_stay_together() -> None:
    found = choose_threshold(*answers(0.9, 0.8, 0.8, 0.6, wrong=(1, 3)), precision=0.6)
    assert (found.value, found.precision) == pytest.approx((0.7, 2 / 3))
    assert (found.coverage, found.n) == (0.75, 4)


def test_a_precision_that_cannot_be_reached_is_said_with_the_best_that_can() -> None:
    given = answers(0.9, 0.8, 0.7, wrong=(0, 2))
    with pytest.raises(
        UnreachablePrecisionError, match=r"most that can be had is 0.5, of the 2 answers"
    ):
        choose_threshold(*given, precision=0.9)


def test_a_threshold_above_every_confidence_leaves_nothing() -> None:
    assert apply_threshold(*answers(0.9, 0.8), value=0.95) == Threshold(0.95, None, 0.0, 2)
    assert apply_threshold(*answers(0.9, 0.8), value=0.9).coverage == 0.5
