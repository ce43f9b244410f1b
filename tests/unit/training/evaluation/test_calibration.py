"""Confidences are held against the truth, and a temperature mends them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model_loader.model import softmax
from training.evaluation.calibration import fit_temperature, reliability

N, CLASSES = 4000, 5


def honest(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return logits whose probabilities are true: each truth is drawn by its row."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (N, CLASSES))
    edges = softmax(logits, 1.0).cumsum(axis=1)
    truth = (generator.random((N, 1)) > edges).sum(axis=1)
    return logits, truth


def test_the_calibration_error_is_the_weighted_gap_of_the_bins() -> None:
    # Two answers at 0.6, one of them right; two at 0.9, both right.
    probabilities = np.array([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]])
    found = reliability(probabilities, np.array([0, 1, 0, 0]), bins=5)
    assert [one.n for one in found.bins] == [0, 0, 0, 2, 2]
    assert (found.bins[3].low, found.bins[3].high) == (0.6, 0.8)
    assert found.bins[3].confidence == pytest.approx(0.6)
    assert [one.accuracy for one in found.bins] == [0, 0, 0, 0.5, 1]
    assert found.ece == pytest.approx((2 * 0.1 + 2 * 0.1) / 4)


def test_a_confidence_of_one_falls_into_the_last_bin() -> None:
    found = reliability(np.array([[1.0, 0.0]]), np.array([0]), bins=10)
    assert found.bins[-1].n == 1
    assert found.ece == 0


@pytest.mark.parametrize("scale", [3.0, 0.4])
def test_logits_that_were_scaled_are_scaled_back(scale: float) -> None:
    logits, truth = honest()
    temperature = fit_temperature(logits * scale, truth)
    assert temperature == pytest.approx(scale, rel=0.05)
    before = reliability(softmax(logits * scale, 1.0), truth).ece
    after = reliability(softmax(logits * scale, temperature), truth).ece
    assert after < 0.03 < 0.1 < before


def test_a_temperature_never_makes_validation_less_probable() -> None:
    for seed in range(5):
        logits, truth = honest(seed)
        logits, truth = logits[:20], truth[:20]

        def loss(temperature: float, x: NDArray[np.float64], y: NDArray[np.int64]) -> float:
            return -float(np.log(softmax(x, temperature)[np.arange(len(y)), y]).mean())

        temperature = fit_temperature(logits, truth)
        assert loss(temperature, logits, truth) <= loss(1.0, logits, truth)


def test_answers_that_are_all_right_keep_the_temperature_of_one() -> None:
    logits = np.eye(CLASSES) * 4
    assert fit_temperature(logits, np.arange(CLASSES)) == 1.0


def test_answers_that_are_all_wrong_are_given_no_confidence() -> None:
    truth = np.tile(np.arange(CLASSES), 40)
    logits = np.eye(CLASSES)[(truth + 1) % CLASSES] * 4
    temperature = fit_temperature(logits, truth)
    assert softmax(logits, temperature).max() == pytest.approx(1 / CLASSES, abs=0.05)


SIZES = (2, 3, 5, 10, 20, 50, 200, 2000)
Answers = tuple[NDArray[np.float64], NDArray[np.int64]]


def with_mistakes(n: int, mistakes: int, margin: float) -> Answers:
    """Return logits whose right class leads by about ``margin``, and in the first ones another."""
    generator = np.random.default_rng(n)
    truth = generator.integers(0, CLASSES, n)
    answers = np.where(np.arange(n) < mistakes, (truth + 1) % CLASSES, truth)
    return np.eye(CLASSES)[answers] * margin + generator.uniform(0, 1, (n, CLASSES)), truth


def plain_temperature(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Return the temperature of the highest likelihood of these images alone, by looking."""
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 2000))
    every = [softmax(logits, t)[np.arange(len(truth)), truth].clip(1e-300) for t in grid]
    return float(grid[np.argmax([np.log(one).sum() for one in every])])


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("margin", [2.0, 6.0, 20.0])
def test_without_a_mistake_confidences_stay(n: int, margin: float) -> None:
    assert fit_temperature(*with_mistakes(n, 0, margin)) == 1.0


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("margin", [2.0, 6.0, 20.0])
def test_one_mistake_among_few_images_moves_the_temperature_a_little(n: int, margin: float) -> None:
    answers = with_mistakes(n, 1, margin)
    temperature, plain = fit_temperature(*answers), plain_temperature(*answers)
    assert min(plain, 1) <= temperature <= max(plain, 1)
    assert 0.2 < temperature < 10
    if n <= 20:  # too few to make the network more certain than it is
        assert temperature > 0.6


@pytest.mark.parametrize("n", SIZES)
def test_the_more_mistakes_the_less_the_confidence(n: int) -> None:
    mistakes = sorted({1, max(1, n // 4), max(1, n // 2), n})
    found = [fit_temperature(*with_mistakes(n, count, 4.0)) for count in mistakes]
    assert found == sorted(found)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_a_temperature_lies_between_what_the_images_say_and_one(n: int, scale: float) -> None:
    logits, truth = honest()
    logits, truth = scale * logits[:n], truth[:n]
    if (logits.argmax(axis=1) == truth).all():
        assert fit_temperature(logits, truth) == 1
        return
    temperature, plain = fit_temperature(logits, truth), plain_temperature(logits, truth)
    assert min(plain, 1) * 0.99 <= temperature <= max(plain, 1) * 1.01
    if n == 2000:
        assert temperature == pytest.approx(plain, rel=0.02)
