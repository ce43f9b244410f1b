"""A model's first weights: downloaded, read from a file, or random."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from training.errors import TrainingError
from training.models.classifier import build_model
from training.models.weights import find_weights
from training.torchvision_import import torchvision


def test_imagenet_is_torchvisions_download(monkeypatch: pytest.MonkeyPatch) -> None:
    state = torchvision.models.mobilenet_v2().state_dict()
    weights = torchvision.models.MobileNet_V2_Weights
    monkeypatch.setattr(weights, "get_state_dict", lambda self, **_: state)
    assert find_weights("imagenet", "mobilenet_v2") is state


@pytest.mark.parametrize("error", [URLError("no network"), TimeoutError(), RuntimeError("hash")])
def test_a_download_that_fails_names_the_two_ways_out(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torchvision.models.MobileNet_V2_Weights, "get_state_dict", fail)
    with pytest.raises(TrainingError, match="--weights PATH .* or --weights none"):
        find_weights("imagenet", "mobilenet_v2")


def test_none_is_random(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_weights("none", "mobilenet_v2") is None


def test_a_file_gives_the_backbone_and_leaves_the_last_layer_new(tmp_path: Path) -> None:
    source = torchvision.models.mobilenet_v2(num_classes=1000)
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    model = build_model("mobilenet_v2", 4, find_weights(str(tmp_path / "weights.pth"), ""))
    images = torch.randn(2, 3, 64, 64)
    wanted = source.eval().features(images).mean((2, 3))
    assert torch.equal(model.eval().embed(images), wanted)
    assert model(images).shape == (2, 4)


def test_a_models_own_state_is_in_torchvisions_names() -> None:
    ours, theirs = build_model("mobilenet_v2", 4), torchvision.models.mobilenet_v2(num_classes=4)
    theirs.load_state_dict(ours.state_dict())
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(theirs.eval()(images), ours.eval()(images))


def test_the_weights_that_come_with_the_project_are_found_by_name() -> None:
    weights = find_weights("flying-objects", "mobilenet_v2")
    assert build_model("mobilenet_v2", 7, weights)(torch.randn(2, 3, 64, 64)).shape == (2, 7)


def test_a_backbone_alone_will_do(tmp_path: Path) -> None:
    state = torchvision.models.mobilenet_v2().state_dict()
    backbone = {key: value for key, value in state.items() if key.startswith("features.")}
    assert build_model("mobilenet_v2", 3, backbone)(torch.randn(2, 3, 64, 64)).shape == (2, 3)


def test_weights_of_another_model_are_refused() -> None:
    with pytest.raises(TrainingError, match="do not belong to mobilenet_v2: .* are missing"):
        build_model("mobilenet_v2", 4, {"conv.weight": torch.zeros(3)})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no weights at .*none.pth"):
        find_weights(str(tmp_path / "none.pth"), "mobilenet_v2")


@pytest.mark.parametrize("content", [b"", b"hello world\n", b"<html>", b"\x80\x02", b"(" * 9])
def test_a_file_that_torch_cannot_load_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="not a state dict that torch can load") as error:
        find_weights(str(path), "mobilenet_v2")
    assert "weights_only" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"a": 1},
        {0: torch.zeros(2)},
        {"a": torch.tensor([float("nan")])},
        {"a": torch.zeros(2, 2).to_sparse()},
    ],
    ids=["a list", "numbers", "numbered", "not finite", "sparse"],
)
def test_a_file_that_holds_no_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(TrainingError, match="holds no state dict"):
        find_weights(str(tmp_path / "weights.pth"), "mobilenet_v2")


def test_an_unknown_model_names_those_that_are() -> None:
    with pytest.raises(TrainingError, match="no model 'resnet'; there is mobilenet_v2"):
        build_model("resnet", 4)


def test_a_mobilenet_of_four_classes_has_the_documents_number_of_parameters() -> None:
    model = build_model("mobilenet_v2", 4)
    assert sum(p.numel() for p in model.parameters()) == 2_228_996
    assert sum(p.numel() for p in model.classifier.parameters()) == 5_124
