"""Range tests: what they suggest, and that they leave everything as it was."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.support.fitting_material import (
    LABELS,
    N,
    fit,
    material,
    network,
    pairs,
    recipe,
)
from training.errors import TrainingError
from training.fitting.checkpoint import Progress
from training.fitting.fit import Fitting
from training.fitting.hardware import Hardware
from training.fitting.lr_find import STEPS, smoothed, suggest_rate
from training.run import Run


def same(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return all(torch.equal(first[key], second[key]) for key in first)


def test_a_range_test_leaves_everything_as_it_was(tmp_path: Path) -> None:
    model = network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fitting = Fitting(
        model,
        recipe("thaw: all, epochs: 1"),
        lambda _: material(augments=True),
        Run(tmp_path),
        Hardware("cpu"),
    )
    state = torch.get_rng_state()
    found = fitting.find_rate(0)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert found.suggestion is not None
    assert 1e-5 < found.suggestion < 1
    assert list(found.rates) == sorted(found.rates)


def test_a_run_with_a_range_test_before_it_equals_one_without(tmp_path: Path) -> None:
    model = network()
    stages = recipe("thaw: 1, epochs: 2")
    fitting = Fitting(model, stages, lambda _: material(), Run(tmp_path / "1"), Hardware("cpu"))
    fitting.find_rate(0)
    Run(tmp_path / "1").checkpoint.parent.mkdir(parents=True)
    fitting.run(Progress(LABELS))
    other, _ = fit(tmp_path / "2", stages, material())
    assert same(model, other)


RATES = [10 ** (-6 + 6 * step / (STEPS - 1)) for step in range(STEPS)]


CURVES = json.loads(Path(__file__).with_name("range_tests.json").read_text())
"""Losses of the batches of 23 real range tests, with the recipe, data, size and layers of each."""


@pytest.mark.parametrize(
    "curve", CURVES, ids=lambda curve: " ".join(map(str, [*curve.values()][:6]))
)
def test_on_curves_of_real_tests_the_loss_has_not_begun_to_rise_at_the_rate_that_is_suggested(
    curve: dict[str, Any],
) -> None:
    losses = curve["losses"]
    rates = RATES[: len(losses)]
    found = suggest_rate(rates, losses)
    assert found is not None
    first, smooth = sum(losses[:10]) / 10, smoothed(losses)
    lowest = int(smooth.argmin())
    below = [loss for rate, loss in zip(rates, losses, strict=True) if rate <= found]
    assert max(below) < 1.5 * first  # no batch's loss doubles
    assert smooth[len(below) - 1] < 1.06 * first
    if smooth[lowest] < 0.85 * first:  # a fall that is no noise
        assert found < rates[lowest]
        assert smooth[len(below) - 1] < first


def test_a_curve_whose_batches_soon_double_gets_a_rate_below_that() -> None:
    losses = [2.0] * 30 + [1.99] * 5 + [4.5] + [1.5] * 3
    found = suggest_rate(RATES[: len(losses)], losses)
    assert found is not None
    assert found < RATES[35]


def test_a_new_head_gets_the_rate_at_which_its_loss_falls_steepest() -> None:
    losses = [1.4 / (1 + (rate / 1e-3) ** 2) + rate for rate in RATES]
    found = suggest_rate(RATES, losses)
    assert found is not None
    assert 5e-4 < found < 2e-3


@pytest.mark.parametrize("explodes", [True, False])
def test_trained_layers_get_a_rate_below_the_one_at_which_their_loss_rises(explodes: bool) -> None:
    noise = [0.03 * math.sin(step) for step in range(STEPS)]
    losses = [0.3 + 0.15 * rate / 1e-3 + ripple for rate, ripple in zip(RATES, noise, strict=True)]
    if explodes:
        losses = [loss for loss in losses if loss < 0.9]
    found = suggest_rate(RATES[: len(losses)], losses)
    assert found is not None
    assert 1e-4 < found < 3e-4  # it rises by half at 1e-3


def test_a_loss_that_neither_falls_nor_rises_suggests_no_rate() -> None:
    assert suggest_rate(RATES, [1.4] * STEPS) is None


def test_a_problem_that_cannot_be_learned_has_no_suggestion_and_says_so(tmp_path: Path) -> None:
    images = material()
    empty = pairs(torch.zeros(N, 3, 9, 9), images.labels)
    nothing = replace(images, training=empty, plain=empty)
    with pytest.raises(TrainingError, match="found no rate at which the loss falls"):
        fit(tmp_path, recipe("thaw: head, epochs: 1, learning_rate: auto"), nothing)
    assert (tmp_path / "lr-find" / "stage-1.csv").is_file()
