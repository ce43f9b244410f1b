"""Heat maps show where the evidence lies."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.models.classifier import build_model
from training.models.network import Classifier
from training.models.pyramid import SpatialPyramidMaxPool
from training.report.gradcam import heat_maps

SIDE, CORNER = 64, 16


def red_finder(pool: nn.Module, features: int) -> Classifier:
    """Class 1 is a matter of red, class 0 of blue; a block halves the resolution in place."""
    see = nn.Conv2d(3, 2, 1, bias=False)
    see.weight.data = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])[:, :, None, None]
    shrink = nn.Sequential(nn.AvgPool2d(8), nn.ReLU6(inplace=True))
    head = nn.Linear(2 * features, 2)
    head.weight.data = torch.eye(2).repeat_interleave(features, 1)
    head.bias.data.zero_()
    return Classifier(nn.Sequential(see, shrink), pool, nn.Sequential(nn.Dropout(), head)).eval()


def average() -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))


def with_patch(channel: int, top: int, left: int) -> Tensor:
    """Return a black image with one coloured corner, [1, 3, SIDE, SIDE]."""
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[:, channel, top : top + CORNER, left : left + CORNER] = 1
    return image


FAR = SIDE - CORNER
CORNERS = [(0, 0), (0, FAR), (FAR, 0), (FAR, FAR)]


@pytest.mark.parametrize(("top", "left"), CORNERS)
def test_the_heat_lies_where_the_evidence_is(top: int, left: int) -> None:
    heat = heat_maps(red_finder(average(), 1), with_patch(0, top, left), torch.tensor([1]))
    assert heat is not None
    rows, columns = (heat[0] > 0.5).nonzero(as_tuple=True)
    assert {*rows.tolist()} == {top // 8, top // 8 + 1}
    assert {*columns.tolist()} == {left // 8, left // 8 + 1}


@pytest.mark.parametrize(("top", "left"), CORNERS)
def test_it_lies_there_under_a_pyramid_too(top: int, left: int) -> None:
    model = red_finder(SpatialPyramidMaxPool((4, 2, 1)), 21)
    heat = heat_maps(model, with_patch(0, top, left), torch.tensor([1]))
    assert heat is not None
    assert divmod(int(heat[0].argmax()), SIDE // 8) == (top // 8, left // 8)
    assert float((heat[0] > 0).sum()) == (CORNER // 8) ** 2


def test_each_image_is_asked_about_a_class_of_its_own() -> None:
    picture = with_patch(0, 0, 0) + with_patch(2, FAR, FAR)
    model, pictures = red_finder(average(), 1), picture.repeat(2, 1, 1, 1)
    heat = heat_maps(model, pictures, torch.tensor([0, 1]))
    assert heat is not None
    blue, red = heat
    assert (float(red[0, 0]), float(red[-1, -1])) == (1, 0)
    assert (float(blue[0, 0]), float(blue[-1, -1])) == (0, 1)


def test_no_evidence_is_no_heat() -> None:
    model = red_finder(average(), 1)
    heat = heat_maps(model, with_patch(2, 0, 0), torch.tensor([1]))
    assert heat is not None
    assert not heat.any()


def test_it_is_the_class_activation_map_where_the_head_is_linear_in_the_average() -> None:
    torch.manual_seed(0)
    model = build_model("mobilenet_v2", 5).eval()
    images, classes = torch.randn(3, 3, 96, 128), torch.tensor([0, 3, 4])
    heat = heat_maps(model, images, classes)
    with torch.no_grad():
        maps = model.to_block(len(model.features), images)
        activation = torch.einsum("bchw,bc->bhw", maps, model.head.weight[classes]).clamp(min=0)
    assert heat is not None
    assert heat.shape == (3, 3, 4)
    exact = activation / activation.amax((1, 2), keepdim=True)
    torch.testing.assert_close(heat, exact, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mobilenet_v2", (7, 7)),
        ("mobilenet_v2_spp", (7, 7)),
        ("mobilenet_v2_multiscale", (7, 7)),
        ("alexnet", (6, 6)),
        ("resnet18", (7, 7)),
    ],
)
def test_every_architecture_has_heat_maps(name: str, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = build_model(name, 4).eval().requires_grad_(False)
    heat = heat_maps(model, torch.randn(1, 3, 224, 224).repeat(4, 1, 1, 1), torch.arange(4))
    assert heat is not None
    assert heat.shape == (4, *shape)
    assert float(heat.max()) == pytest.approx(1)  # of some class: weights are random
    assert float(heat.min()) >= 0
    assert not heat.requires_grad


def test_a_model_without_maps_has_none() -> None:
    flat = nn.Sequential(nn.Flatten(1), nn.Linear(3 * SIDE * SIDE, 2))
    model = Classifier(flat, nn.Identity(), nn.Sequential(nn.Linear(2, 2))).eval()
    assert heat_maps(model, with_patch(0, 0, 0), torch.tensor([1])) is None


def test_the_last_maps_of_a_shifted_window_transformer_are_laid_out_as_images() -> None:
    torch.manual_seed(0)
    model = build_model("swin_t", 3).eval()
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        maps = model.to_block(len(model.features), images)
        torch.testing.assert_close(model.head(maps.mean((2, 3))), model(images))
    heat = heat_maps(model, images, torch.tensor([1]))
    assert heat is not None
    assert heat.shape == (1, 2, 3)
