"""Heat is laid where its cells look, not merely stretched over the picture."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.models.classifier import build_model
from training.models.network import Classifier
from training.report.alignment import Grid, lay_out, measure_grid

STEP = 32


def looking_at(place: int) -> Classifier:
    """Return a network whose cell looks at one pixel of its 32 × 32, the same in both axes."""
    look = nn.Conv2d(3, 1, STEP, STEP, bias=False)
    look.weight.data.zero_()
    look.weight.data[:, :, place, place] = 1
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
    return Classifier(nn.Sequential(look), pool, nn.Sequential(nn.Linear(1, 2))).eval()


@pytest.mark.parametrize("place", [0, 9, 31])
def test_the_pixel_that_a_cell_looks_at_is_found(place: int) -> None:
    grid = measure_grid(looking_at(place))
    assert grid is not None
    assert (grid.first, grid.step) == pytest.approx((place, STEP))


@pytest.mark.parametrize(
    ("name", "first"), [("mobilenet_v2", 0), ("mobilenet_v2_multiscale", 0), ("alexnet", 31)]
)
def test_it_is_as_strides_and_paddings_have_it(name: str, first: int) -> None:
    torch.manual_seed(0)
    grid = measure_grid(build_model(name, 2).eval().requires_grad_(False))
    assert grid is not None
    assert grid.step == STEP
    assert grid.first == pytest.approx(first, abs=5)  # chance: random weights, and noise


@pytest.mark.parametrize("cell", [1, 3, 5])
def test_heat_lies_around_its_cells_place(cell: int) -> None:
    heat = torch.zeros(7, 7)
    heat[cell, cell] = 1
    laid = lay_out(heat, Grid(4, STEP), (224, 224), (112, 56))
    assert laid.shape == (112, 56)
    row, column = divmod(int(laid.argmax()), 56)
    assert row == pytest.approx((4 + STEP * cell) / 2, abs=1)
    assert column == pytest.approx((4 + STEP * cell) / 4, abs=1)


def test_without_a_grid_it_is_stretched() -> None:
    heat = torch.zeros(4, 4)
    heat[0, 3] = 1
    laid = lay_out(heat, None, (40, 40), (40, 40))
    assert laid[:5, 35:].min() > 0.9
    assert laid[:, :20].max() < 0.1
    assert laid[20:].max() < 0.1


def test_a_model_that_takes_one_size_only_has_no_grid() -> None:
    flat = nn.Sequential(nn.Flatten(1), nn.Linear(3 * 64 * 64, 2))
    model = Classifier(flat, nn.Identity(), nn.Sequential(nn.Linear(2, 2))).eval()
    assert measure_grid(model) is None


def test_a_model_that_noise_does_not_move_has_no_grid() -> None:
    model = looking_at(3)
    model.features.append(nn.Hardtanh(50, 60))
    assert measure_grid(model) is None
