"""What computes a frozen part's outputs: the same answers from PyTorch and from ONNX Runtime."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.fitting_material import network
from training.fitting import frozen
from training.fitting.frozen import frozen_runner
from training.fitting.thaw import Trainee
from training.models.classifier import build_model
from training.models.network import Classifier

CPU = torch.device("cpu")
ENOUGH = 10_000


def _images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The engines that ran, in order."""
    seen: list[str] = []
    for name in ("_by_torch", "_by_onnx_runtime"):
        made = getattr(frozen, name)
        monkeypatch.setattr(frozen, name, lambda *a, m=made, n=name: (seen.append(n), m(*a))[1])
    return seen


@pytest.mark.parametrize("thaw", ["head", 1, 2])
def test_onnx_runtime_gives_pytorchs_features(thaw: str | int, runs: list[str]) -> None:
    trainee = Trainee(network(), thaw)
    run = frozen_runner(trainee, lambda: _images(4, 3, 9, 9), ENOUGH, CPU)
    assert runs[0] == "_by_onnx_runtime"
    images = _images(7, 3, 9, 9)
    with torch.inference_mode():
        wanted = trainee.frozen(images)
    torch.testing.assert_close(torch.from_numpy(run(images)), wanted, rtol=1e-4, atol=1e-5)


def test_pyramid_features_of_any_size_come_from_one_graph(runs: list[str]) -> None:
    torch.manual_seed(0)
    trainee = Trainee(build_model("mobilenet_v2_spp", 4), "head")
    run = frozen_runner(trainee, lambda: _images(1, 3, 64, 96), ENOUGH, CPU)
    assert runs[0] == "_by_onnx_runtime"
    for size in ((64, 96), (150, 33)):
        images = _images(1, 3, *size)
        with torch.inference_mode():
            wanted = trainee.frozen(images)
        torch.testing.assert_close(torch.from_numpy(run(images)), wanted, rtol=1e-3, atol=1e-4)


def test_for_few_images_nothing_is_exported(runs: list[str]) -> None:
    run = frozen_runner(Trainee(network(), "head"), lambda: _images(4, 3, 9, 9), 20, CPU)
    assert runs == ["_by_torch"]
    assert run(_images(2, 3, 9, 9)).shape == (2, 32)


class _Unexportable(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images * 2 if float(images.sum()) > 0 else images


def test_a_network_that_cannot_be_exported_is_run_by_pytorch_and_says_so(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(1))
    model = Classifier(nn.Sequential(_Unexportable()), pool, nn.Sequential(nn.Linear(12, 3)))
    run = frozen_runner(Trainee(model, "head"), lambda: _images(4, 3, 9, 9), ENOUGH, CPU)
    assert runs == ["_by_onnx_runtime", "_by_torch"]
    assert run(_images(2, 3, 9, 9)).shape == (2, 12)
    assert "PyTorch computes the features" in capsys.readouterr().err
