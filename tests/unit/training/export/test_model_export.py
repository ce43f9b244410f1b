"""The architectures' exported files answer as they do, at every size they take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from model_loader import Resize, Transform, load_model
from tests.support.models_material import NORMALIZE, pictures, spread
from training.errors import TrainingError
from training.export.torchscript import export_version
from training.models.classifier import Classifier, build_model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", ["mobilenet_v2_multiscale", "alexnet"])
def test_the_fixed_size_models_export_with_equal_answers(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_model(name, 4)
    if name == "alexnet":  # 50 million weights in the middle would be most of the test's time
        network.classifier[1], network.classifier[4] = nn.Linear(9216, 32), nn.Linear(32, 4096)
    spread(network)
    transform = Transform((Resize(64, 64),), NORMALIZE)
    folder = tmp_path / "model"
    export_version(network, folder, name="n", labels=tuple("abcd"), transform=transform)
    images = pictures(3, 64, 64, seed=1)
    with torch.inference_mode():
        wanted = network(images).softmax(1).numpy()
    assert wanted.std(axis=0).min() > 1e-2
    for engine in ("torchscript", "onnx"):
        found = load_model(str(folder), engine).probabilities(images.numpy())
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_spp_exports_with_dynamic_height_width_and_batch(spp: Classifier, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    transform = Transform((Resize(32, 32),), NORMALIZE)  # maps of 1 × 1 must not be fixed
    export_version(spp, folder, name="n", labels=tuple("abcd"), transform=transform)
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    assert session.get_inputs()[0].shape == ["batch", 3, "height", "width"]
    models = [load_model(str(folder), engine) for engine in ("torchscript", "onnx")]
    for size in [(32, 32), (33, 500), (224, 224), (500, 40)]:
        for count in (1, 3):
            images = pictures(count, *size, seed=1)
            with torch.inference_mode():
                wanted = spp(images).softmax(1).numpy()
            for model in models:
                found = model.probabilities(images.numpy())
                np.testing.assert_allclose(found, wanted, atol=1e-4)


class SizeBound(nn.Module):
    """Says that it takes any size, but its TorchScript answers wide images otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.any_size = True
        self.linear = nn.Linear(3, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(images.mean((2, 3)))
        if torch.jit.is_scripting() and images.shape[3] > 100:  # type: ignore[attr-defined]
            logits = logits + torch.tensor([1.0, 0.0])
        return logits


def test_files_that_answer_other_sizes_differently_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="torchscript file answers differently .* 33 × 150"):
        export_version(
            SizeBound(),
            tmp_path / "model",
            name="n",
            labels=("a", "b"),
            transform=Transform((Resize(32, 32),), NORMALIZE),
        )
    assert list(tmp_path.iterdir()) == []
