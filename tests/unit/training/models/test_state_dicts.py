"""State dicts: torchvision's names, other heads, relatives, and what does not fit."""

from __future__ import annotations

import io

import pytest
import torch
from torch import nn

from tests.support.models_material import noise
from training.errors import TrainingError
from training.models.classifier import Classifier, build_model
from training.models.weights import find_weights
from training.torchvision_import import torchvision

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", ["resnet18", "mnasnet0_5"])
def test_a_checkpoint_goes_to_torchvision_and_back_with_equal_answers(name: str) -> None:
    torch.manual_seed(0)
    ours, theirs = build_model(name, 3), torchvision.models.get_model(name, num_classes=3)
    again = build_model(name, 3)
    file = io.BytesIO()
    torch.save(ours.state_dict(), file)
    file.seek(0)
    theirs.load_state_dict(torch.load(file, weights_only=True))
    again.load_state_dict(theirs.state_dict())
    images = noise(2, 3, 64, 64)
    with torch.no_grad():
        wanted = ours.eval()(images)
        assert wanted.std() > 0
        assert torch.equal(theirs.eval()(images), wanted)
        assert torch.equal(again.eval()(images), wanted)


def test_names_hold_within_another_module_too() -> None:
    outer = nn.ModuleDict({"network": build_model("resnet18", 3)})
    state = outer.state_dict()
    assert "network.conv1.weight" in state
    assert "network.fc.bias" in state
    nn.ModuleDict({"network": build_model("resnet18", 3)}).load_state_dict(state)


@pytest.mark.parametrize("name", ["resnet18", "vit_b_32"])
def test_a_state_dict_of_1000_classes_gives_all_but_the_last_layer(name: str) -> None:
    source = torchvision.models.get_model(name, num_classes=10).eval()
    model = build_model(name, 4, source.state_dict()).eval()
    last = [key for key in source.state_dict() if "classifier.6" in key or "head" in key or
            key.startswith("fc.")]  # fmt: skip
    ours = model.state_dict()
    for key, value in source.state_dict().items():
        assert (key in last) != torch.equal(ours[key], value), key
    assert len(last) == 2


@pytest.mark.parametrize("name", ["mobilenet_v2_spp", "mobilenet_v2_multiscale"])
def test_plain_mobilenet_weights_start_its_two_relatives(name: str) -> None:
    state = torchvision.models.mobilenet_v2(num_classes=9).state_dict()
    model = build_model(name, 4, state)
    loaded = model.state_dict()
    blocks = [key for key in state if key.startswith("features.")]
    assert all(torch.equal(loaded[key], state[key]) for key in blocks)
    assert build_model(name, 4, {key: state[key] for key in blocks}).head.out_features == 4


def test_a_multiscale_checkpoint_gives_its_new_layers_too(multiscale: Classifier) -> None:
    state = multiscale.state_dict()
    again = build_model("mobilenet_v2_multiscale", 7, state).eval()
    images = noise(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(again.embed(images), multiscale.embed(images))
    del state["fuse.0.weight"]
    with pytest.raises(TrainingError, match="1 of its tensors are missing.*'fuse.0.weight'"):
        build_model("mobilenet_v2_multiscale", 7, state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("layer1.0.conv1.weight"), "1 of its tensors are missing"),
        (lambda state: state.update(more=torch.zeros(1)), "1 are unknown to it.*'more'"),
        (lambda state: state.update({"bn1.bias": torch.zeros(3)}), "1 have another shape"),
    ],
)
def test_weights_that_do_not_fit_are_one_error(change: object, message: str) -> None:
    state = dict(torchvision.models.resnet18(num_classes=2).state_dict())
    assert callable(change)
    change(state)
    with pytest.raises(TrainingError, match=f"do not belong to resnet18: .*{message}"):
        build_model("resnet18", 4, state)


def test_side_outputs_of_imagenet_weights_are_left_out() -> None:
    with torch.device("meta"):
        state = torchvision.models.googlenet(aux_logits=True, init_weights=False).state_dict()
    zeros = {key: torch.zeros(value.shape, dtype=value.dtype) for key, value in state.items()}
    assert any(key.startswith("aux1.") for key in zeros)
    model = build_model("googlenet", 4, zeros)
    assert not model.get_parameter("features.1.conv.weight").any()
    assert not any(key.startswith("aux") for key in model.state_dict())


def test_inputs_reach_googlenet_as_its_imagenet_weights_expect_them() -> None:
    images = noise(1, 3, 8, 8)
    block = build_model("googlenet", 4).features[0]
    theirs = torchvision.models.GoogLeNet(
        num_classes=4, aux_logits=False, init_weights=False, transform_input=True
    )
    wanted = theirs._transform_input(images)
    torch.testing.assert_close(block(images), wanted)
    with pytest.warns(DeprecationWarning, match="torch.jit.script"):
        scripted = torch.jit.script(block)
    torch.testing.assert_close(scripted(images), wanted)


def test_imagenet_weights_of_the_relatives_are_mobilenets(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = torchvision.models.MobileNet_V2_Weights
    monkeypatch.setattr(weights, "get_state_dict", lambda self, **_: {"from": self})
    for name in ("mobilenet_v2_spp", "mobilenet_v2_multiscale"):
        assert find_weights("imagenet", name) == {"from": weights.DEFAULT}
