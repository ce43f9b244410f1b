"""What computes a frozen part's outputs: BatchNorm is fused where that gives the same answers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.support.fitting_material import network
from training.fitting.frozen import frozen_runner
from training.fitting.thaw import StagedModel, Thaw
from training.models.classifier import build_model
from training.models.network import Classifier

CPU = torch.device("cpu")


def _images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def _wanted(staged: StagedModel, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return staged.eval().frozen(images)


@pytest.mark.parametrize("thaw", ["head", 1, 2])
def test_the_outputs_are_those_of_the_frozen_part(thaw: Thaw) -> None:
    staged = StagedModel(network(), thaw)
    run = frozen_runner(staged, _images(4, 3, 9, 9), CPU)
    images = _images(7, 3, 9, 9)
    torch.testing.assert_close(torch.from_numpy(run(images)), _wanted(staged, images))


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "densenet121", "alexnet"])
def test_every_architecture_keeps_its_features(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    model = build_model(name, 4)
    with torch.no_grad():
        model.train()(_images(4, 3, 96, 96))  # so that the statistics are not 0 and 1
    staged = StagedModel(model, "head")
    run = frozen_runner(staged, _images(1, 3, 96, 96), CPU)
    images = _images(2, 3, 96, 96)
    wanted = _wanted(staged, images)
    torch.testing.assert_close(torch.from_numpy(run(images)), wanted, rtol=1e-3, atol=1e-4)
    assert "cannot be fused" not in capsys.readouterr().err


def test_pyramid_features_come_from_images_of_any_size() -> None:
    torch.manual_seed(0)
    staged = StagedModel(build_model("mobilenet_v2_spp", 4), "head")
    run = frozen_runner(staged, _images(1, 3, 64, 96), CPU)
    for size in ((64, 96), (150, 33)):
        images = _images(1, 3, *size)
        wanted = _wanted(staged, images)
        torch.testing.assert_close(torch.from_numpy(run(images)), wanted, rtol=1e-3, atol=1e-4)


class _OtherOrder(nn.Module):
    """Has a convolution and a BatchNorm side by side that do not follow each other."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.norm.running_mean = torch.tensor([1.0, 2.0, 3.0])

    def forward(self, images: Tensor) -> Tensor:
        after: Tensor = self.convolution(self.norm(images))
        return after


def test_a_network_that_runs_in_another_order_is_left_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(1))
    model = Classifier(nn.Sequential(_OtherOrder()), pool, nn.Sequential(nn.Linear(12, 3)))
    staged = StagedModel(model, "head")
    images = _images(4, 3, 9, 9)
    run = frozen_runner(staged, images, CPU)
    torch.testing.assert_close(torch.from_numpy(run(images)), _wanted(staged, images))
    assert "cannot be fused" in capsys.readouterr().err
