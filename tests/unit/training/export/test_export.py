"""An exported version gives the network's own answers, or is not written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model_loader import Normalize, Resize, Transform, load_model
from samples.draw import CLASSES, draw_image
from tests.support.images import encode, noise
from tests.support.versions import TRANSFORM, TinyNetwork, build_version
from training.errors import TrainingError
from training.export.torchscript import export_version
from training.models.classifier import build_model


def test_torchscript_onnx_and_eager_mobilenet_give_the_same_probabilities(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_model("mobilenet_v2", 4)
    _spread_outputs(network)
    transform = Transform(
        (Resize(224, 224),), Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    export_version(network, tmp_path / "model", name="net", labels=CLASSES, transform=transform)
    pictures = [encode(draw_image(label), "JPEG") for label in CLASSES] + [
        encode(noise(50, 400), "PNG")
    ]
    for engine in ("torchscript", "onnx"):
        model = load_model(str(tmp_path / "model"), engine)
        batch = np.stack([model.prepare(picture) for picture in pictures])
        with torch.inference_mode():
            eager = network(torch.from_numpy(batch)).softmax(1).numpy()
        assert eager.std(axis=0).min() > 1e-3  # the pictures do not all get one answer
        np.testing.assert_allclose(model.probabilities(batch), eager, atol=1e-4)
        for picture, row in zip(pictures, eager, strict=True):
            scores = list(model.classify(picture).scores.values())
            np.testing.assert_allclose(scores, row, atol=1e-4)


def _spread_outputs(network: nn.Module) -> None:
    """Give random weights outputs that differ, with the batch statistics of some images."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    images = torch.rand(8, 3, 1, 1) * torch.randn(8, 3, 96, 96) + torch.randn(8, 3, 1, 1)
    with torch.no_grad():
        network.train()(images)
    network.eval()


def test_an_earlier_export_is_replaced(tmp_path: Path) -> None:
    first = build_version(tmp_path / "model", seed=1)
    second = build_version(tmp_path / "model", seed=2)
    assert load_model(str(tmp_path / "model")).metadata == second
    assert first.version != second.version
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_exported_files_name_no_path_of_the_machine_that_made_them(tmp_path: Path) -> None:
    build_version(tmp_path / "model")
    for file in (tmp_path / "model").iterdir():
        assert str(Path.cwd()).encode() not in file.read_bytes(), file.name


class Unsteady(nn.Module):
    """A network that answers differently once it is asked for more than one picture."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = TinyNetwork(2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.inner(images)
        if images.shape[0] > 1 and torch.jit.is_scripting():  # type: ignore[attr-defined]
            logits = logits.flip(1) + torch.tensor([1.0, 0.0])
        return logits


def test_a_file_that_answers_differently_is_not_written(tmp_path: Path) -> None:
    network, folder = Unsteady(), tmp_path / "model"
    with pytest.raises(TrainingError, match="exported torchscript file answers differently"):
        export_version(network, folder, name="n", labels=("a", "b"), transform=TRANSFORM)
    assert list(tmp_path.iterdir()) == []
