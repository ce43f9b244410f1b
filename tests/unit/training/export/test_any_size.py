"""Images of any size with any network: its files take every size, or its recipe is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from model_loader import load_model
from tests.support.fitting_material import network
from tests.support.images import encode, noise
from tests.support.models_material import spread
from training import check
from training.check import check_network
from training.errors import TrainingError
from training.export.onnx_graph import write_onnx
from training.export.torchscript import export_version
from training.models.classifier import Classifier, build_model
from training.recipe import Recipe, load_recipe

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = [(200, 150), (64, 48), (31, 500), (1, 1), (900, 700)]
"""Widths and heights."""


def variable(model: str) -> Recipe:
    return load_recipe("flying-objects-spp", [f"model={model}", "stages.0.size=96"])


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_a_network_that_is_no_pyramid_is_served_at_every_size(name: str, tmp_path: Path) -> None:
    recipe = variable(name)
    torch.manual_seed(0)
    net = build_model(name, 2)
    spread(net)
    folder, labels = tmp_path / "model", ("a", "b")
    export_version(net, folder, name="n", labels=labels, transform=recipe.transform())
    for engine in ("torchscript", "onnx"):
        model = load_model(str(folder), engine)
        answers = []
        for number, size in enumerate(SIZES):
            picture = encode(noise(*size, number), "PNG")
            with torch.inference_mode():
                images = torch.from_numpy(model.prepare(picture))[None]
                wanted = net.eval()(images).softmax(1)[0].numpy()
            answers.append([*model.classify(picture).scores.values()])
            np.testing.assert_allclose(answers[-1], wanted, atol=1e-4)
        assert np.ptp(np.array(answers), axis=0).min() > 1e-3


@pytest.mark.parametrize(
    "name", ["alexnet", "vit_b_16", "inception_v3", "maxvit_t", "mobilenet_v2_multiscale"]
)
def test_every_network_is_tried_at_the_smallest_and_longest_images(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_check_export", lambda _: None)
    if name == "mobilenet_v2_multiscale":
        check_network(variable(name))
        return
    with pytest.raises(TrainingError, match=f"sizing.size: {name} does not take images of 32 × 32"):
        check_network(variable(name))


def test_a_network_whose_graph_would_take_one_size_is_refused_before_training(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def adaptive(name: str, classes: int) -> Classifier:
        """Return a network that pools to 2 × 2, of which ONNX has nothing for every size."""
        return network()

    monkeypatch.setattr(check, "build_model", adaptive)
    with pytest.raises(TrainingError, match="model and sizing.strategy: resnet18 cannot be export"):
        check_network(variable("resnet18"))
    assert "ExecuteKernel" not in capfd.readouterr().err


def test_a_file_whose_sides_are_fixed_is_not_written_for_images_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = torch.onnx.export

    def narrowed(*arguments: object, **options: object) -> object:
        options["dynamic_shapes"] = ({0: torch.export.Dim("batch", min=1)},)
        return export(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.onnx, "export", narrowed)
    with pytest.raises(ValueError, match="takes images of 192 × 256 pixels alone"):
        write_onnx(network().eval(), torch.zeros(1, 3, 64, 64), tmp_path / "model.onnx", True)
    write_onnx(network().eval(), torch.zeros(1, 3, 64, 64), tmp_path / "model.onnx", False)
    assert onnx.load(tmp_path / "model.onnx").graph.input[0].name == "images"
