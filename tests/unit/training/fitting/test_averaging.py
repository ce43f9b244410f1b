"""Weight averaging: what is followed, measured, kept, and handed to the next stage."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.fitting_material import STAGES, N, fit, go_on, killed, material, network, recipe
from training.errors import TrainingError
from training.fitting.averaging import Average
from training.fitting.checkpoint import read_progress
from training.fitting.thaw import StagedModel
from training.recipe import load_recipe
from training.run import Run

AVERAGING = "weight_averaging=0.9"


def _set(layer: nn.Linear, value: float) -> None:
    with torch.no_grad():
        layer.weight.fill_(value)


def test_the_average_forgets_its_first_weights_soon_and_its_last_ones_slowly() -> None:
    model = network()
    average = Average(StagedModel(model, "head"), decay=0.25)
    for value in (1.0, 2.0, 3.0):
        _set(model.head, value)
        average.update()
    second = 1.0 * 2 / 11 + 2.0 * 9 / 11  # (1 + n) / (10 + n) is below the decay in step 1
    third = second * 0.25 + 3.0 * 0.75  # … and 3 / 12 of it in step 2
    with average.shown():
        torch.testing.assert_close(model.head.weight[0, 0].item(), third)
    assert model.head.weight[0, 0] == 3.0


def test_batchnorms_statistics_are_averaged_too() -> None:
    model = network()
    average = Average(StagedModel(model, "all"), decay=0.9)
    norm = model.get_submodule("features.0.1")
    assert isinstance(norm, torch.nn.BatchNorm2d)
    assert norm.running_mean is not None
    for value in (0.0, 1.0):
        norm.running_mean.fill_(value)
        average.update()
    with average.shown():
        torch.testing.assert_close(norm.running_mean, torch.full((8,), 9 / 11))


def test_frozen_layers_are_not_followed() -> None:
    model = network()
    average = Average(StagedModel(model, 1), decay=0.9)
    shapes = sum(tensor.numel() for tensor in average.parameters())
    assert shapes == sum(p.numel() for p in [*model.features[2].parameters()]) + 32 * 3 + 3


def test_the_best_weights_and_the_figures_are_the_averages(tmp_path: Path) -> None:
    images = material()
    model, made = fit(tmp_path, recipe("thaw: all, epochs: 1", changes=[AVERAGING]), images)
    plain, _ = fit(tmp_path / "plain", recipe("thaw: all, epochs: 1"), images)
    kept = torch.load(Run(tmp_path).checkpoint, weights_only=True)
    last = torch.load(Run(tmp_path).last, weights_only=True)["state_dict"]
    for key, value in model.state_dict().items():
        assert torch.equal(kept[key], value)
        trained = last[f"staged.model.{key}"]  # steps are those of a run without averaging
        assert torch.equal(trained, plain.state_dict()[key])
    assert not torch.equal(model.head.weight, plain.head.weight)
    inputs = torch.stack([images.validation[i][0] for i in range(len(images.validation_labels))])
    model.eval()
    with torch.inference_mode():
        loss = nn.functional.nll_loss(model(inputs).log_softmax(1), images.validation_labels)
    assert made.epochs[-1].validation.loss == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("asked", "epochs"),
    [
        pytest.param(2 * N + 20, 3, id="in the middle of a stage"),
        pytest.param(3 * N + 20, 4, id="right after a stage"),
        pytest.param(4 * N + 20, 5, id="in the last epoch"),
    ],
)
def test_a_killed_run_with_averaging_goes_on_exactly(
    tmp_path: Path, asked: int, epochs: int
) -> None:
    chosen = recipe(*STAGES, changes=[AVERAGING])
    whole, made = fit(tmp_path / "whole", chosen, material(augments=True))
    killed(tmp_path / "killed", asked, AVERAGING)
    assert len(read_progress(Run(tmp_path / "killed")).epochs) == epochs
    model, again = go_on(tmp_path / "killed", chosen, material(augments=True))
    for key, value in model.state_dict().items():
        assert torch.equal(whole.state_dict()[key], value)
    assert [e.validation for e in again.epochs] == [e.validation for e in made.epochs]


@pytest.mark.parametrize("decay", ["0", "1", "1.5", "much"])
def test_a_decay_outside_0_to_1_is_refused(decay: str) -> None:
    with pytest.raises(TrainingError, match="weight_averaging"):
        load_recipe("flying-objects", [f"weight_averaging={decay}"])
