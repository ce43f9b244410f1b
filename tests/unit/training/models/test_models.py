"""The architectures: sizes, names, blocks."""

from __future__ import annotations

import pytest
import torch

from tests.support.models_material import noise, pictures, spread
from training.errors import TrainingError
from training.fitting.thaw import StagedModel
from training.models.classifier import MODELS, Classifier, build_model
from training.models.from_torchvision import torchvision_classifiers
from training.models.weights import find_weights
from training.torchvision_import import torchvision

pytestmark = pytest.mark.usefixtures("one_thread")

DOCUMENTS = {
    "mobilenet_v2": (4, 2_228_996, 5_124),
    "mobilenet_v2_spp": (4, 2_331_396, 107_524),
    "mobilenet_v2_multiscale": (4, 2_684_484, 132),
    "alexnet": (200, 57_823_240, 819_400),
}


# --- Sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_each_model_has_the_documents_number_of_parameters(name: str) -> None:
    classes, parameters, head = DOCUMENTS[name]
    with torch.device("meta"):
        model = build_model(name, classes)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert sum(parameter.numel() for parameter in model.head.parameters()) == head
    assert model.head.out_features == classes


FAMILIES = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v3_small",
    "regnet_x_400mf",
    "resnet18",
    "shufflenet_v2_x0_5",
    "swin_t",
    "swin_v2_t",
    "vgg11",
    "vit_b_32",
)


def test_every_family_of_torchvisions_classifiers_is_tried() -> None:
    def family(name: str) -> str:
        return name[:4].removeprefix("wide").removeprefix("_") or "resn"

    assert {family(name) for name in torchvision_classifiers()} - {"mobi"} == {
        family(name) for name in FAMILIES
    } - {"mobi"}


@pytest.mark.parametrize("name", FAMILIES)
def test_torchvisions_classifiers_keep_their_names_and_end_with_the_head(name: str) -> None:
    # Regnets look at numbers while they are built.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        model = build_model(name, 7)
        options = {"aux_logits": False, "init_weights": False}
        theirs = torchvision.models.get_model(
            name, num_classes=7, **(options if name in ("googlenet", "inception_v3") else {})
        )
        images = torch.zeros(2, 3, 224, 224)
    ours = {key: value.shape for key, value in model.state_dict().items()}
    assert ours == {key: value.shape for key, value in theirs.state_dict().items()}
    assert list(ours) == list(theirs.state_dict())
    with torch.no_grad():
        assert model.eval().embed(images).shape == (2, model.head.in_features)
        assert model(images).shape == (2, 7)


# --- Names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet81", "no model 'resnet81'; .* nearest are .*resnet18"),
        ("mobilenet_v2_sppp", "no model .* nearest are mobilenet_v2_spp"),
        ("?", "no model .* torchvision's classifiers by name"),
        ("fasterrcnn_resnet50_fpn", "is no image classifier"),
        ("raft_small", "is no image classifier"),
        ("squeezenet1_0", "has no last layer that can be trained alone"),
    ],
)
def test_a_name_that_is_no_classifiers_is_refused(name: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        build_model(name, 4)
    with pytest.raises(TrainingError, match=message):
        find_weights("imagenet", name)


# --- Blocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "side", "blocks"),
    [
        ("mobilenet_v2", 64, 19),
        ("mobilenet_v2_spp", 64, 19),
        ("mobilenet_v2_multiscale", 64, 19),
        ("alexnet", 64, 13),
        ("resnet18", 64, 8),
    ],
)
def test_a_network_can_be_cut_after_any_cacheable_block(name: str, side: int, blocks: int) -> None:
    torch.manual_seed(0)
    model = build_model(name, 4)
    spread(model)
    images = pictures(2, side, side, seed=1)
    assert len(model.features) == blocks
    with torch.no_grad():
        wanted = model(images)
        assert wanted.std() > 0.1
        assert torch.equal(model.head(model.embed(images)), wanted)
        for k in range(model.cacheable_blocks + 1):
            maps = model.to_block(k, images)
            kept = maps.clone()
            assert torch.equal(model.from_block(k, maps), wanted), k
            assert torch.equal(maps, kept), k


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_blocks_that_can_be_trained_from_the_top(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(name, 7).eval()
    count = len(model.features)
    assert count == model.cacheable_blocks > 1
    everything = {id(parameter) for parameter in model.parameters()}
    order = [id(parameter) for parameter in model.parameters()]
    for thaw in range(1, count + 1):
        staged = StagedModel(model, thaw)
        trained = {id(p) for p in staged.parameters() if p.requires_grad}
        frozen = {id(p) for i in range(count - thaw) for p in model.features[i].parameters()}
        assert trained == everything - frozen, thaw
        assert order[: len(frozen)] == [key for key in order if key in frozen]
    assert trained == everything


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_can_be_cut_into_a_frozen_and_a_trained_part(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(name, 7).eval()
    torch.nn.init.normal_(model.head.weight)  # transformers' start at 0, and answer nothing
    count = len(model.features)
    images = pictures(1, 224, 224, seed=1)
    with torch.no_grad():
        wanted = model(images)
        assert wanted.std() > 0
        for k in {1, count // 2, count - 1, count}:
            maps = model.to_block(k, images)
            kept = maps.clone()
            assert torch.equal(model.from_block(k, maps), wanted), k
            assert torch.equal(maps, kept), k
        assert torch.equal(model.head(model.embed(images)), wanted)


def test_only_multiscale_cannot_be_cut_everywhere(multiscale: Classifier) -> None:
    assert multiscale.cacheable_blocks == 7
    with pytest.raises(ValueError, match="k is 8; this network takes 0 to 7"):
        multiscale.to_block(8, noise(1, 3, 32, 32))
    with pytest.raises(ValueError, match="k is 19"):
        multiscale.from_block(19, noise(1, 1280, 1, 1))
    with torch.device("meta"):
        assert build_model("mobilenet_v2", 4).cacheable_blocks == 19


def test_multiscale_depends_on_each_of_its_three_taps(multiscale: Classifier) -> None:
    images = noise(2, 3, 64, 64)
    with torch.no_grad():
        wanted = multiscale(images)
        for name in ("down_early_again", "down_middle", "narrow_last"):
            tap = multiscale.get_submodule(name)
            hook = tap.register_forward_hook(lambda _, __, output: output * 0)
            assert not torch.allclose(multiscale(images), wanted, atol=1e-3), name
            hook.remove()


@pytest.mark.parametrize(
    ("name", "rate"),
    [("mobilenet_v2", 0.2), ("mobilenet_v2_spp", 0.0), ("alexnet", 0.0), ("vgg11", 0.5)],
)
def test_the_dropout_before_the_head_is_told(name: str, rate: float) -> None:
    with torch.device("meta"):
        assert build_model(name, 4).head_dropout == rate
