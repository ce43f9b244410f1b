"""The architectures: sizes, sources of weights, blocks, batches of many sizes, export."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from model_loader import Normalize, Resize, Transform, load_model
from training.errors import TrainingError
from training.export import export_version
from training.models.classifier import MODELS, Classifier, build_model
from training.models.from_torchvision import torchvision_classifiers
from training.models.pyramid import SpatialPyramidMaxPool
from training.models.sizes import SizeBuckets
from training.models.torchvision_import import torchvision
from training.models.weights import find_weights

NORMALIZE = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SEEDS = {
    "mobilenet_v2": (4, 2_228_996, 5_124),
    "mobilenet_v2_spp": (4, 2_331_396, 107_524),
    "mobilenet_v2_multiscale": (4, 2_684_484, 132),
    "alexnet": (200, 57_823_240, 819_400),
}


def spread(network: Classifier) -> None:
    """Give random weights logits that differ by about 1, with the statistics of some images."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    images = pictures(6, 64, 64)
    with torch.no_grad():
        network.train()(images)
        logits = network.eval()(images)
        deviation, mean = (logits - logits.mean(0)).std(), logits.mean(0) - network.head.bias
        network.head.weight /= deviation
        network.head.bias.copy_(-mean / deviation)


def pictures(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Noise, of another contrast and brightness in each image."""
    generator = torch.Generator().manual_seed(seed)
    contrast, brightness = torch.rand(2, count, 1, 1, 1, generator=generator)
    return contrast * torch.randn(count, 3, height, width, generator=generator) + brightness


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for a core that others use cost more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def spp() -> Classifier:
    torch.manual_seed(0)
    network = build_model("mobilenet_v2_spp", 4)
    spread(network)
    return network


@pytest.fixture(scope="module")
def multiscale() -> Classifier:
    torch.manual_seed(0)
    network = build_model("mobilenet_v2_multiscale", 4)
    spread(network)
    return network


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# --- Sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_each_model_has_the_seeds_number_of_parameters(name: str) -> None:
    classes, parameters, head = SEEDS[name]
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


# --- Weights ------------------------------------------------------------------------------------


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
    assert not model.features[1].conv.weight.any()
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


# --- Spatial pyramid pooling --------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (1, 16), (2, 3), (7, 7), (4, 8), (5, 9), (13, 2)])
def test_the_pyramid_is_adaptive_max_pooling_bit_for_bit(size: tuple[int, int]) -> None:
    maps = noise(2, 5, *size)
    wanted = [nn.AdaptiveMaxPool2d(n)(maps).flatten(1) for n in (4, 2, 1)]
    assert torch.equal(SpatialPyramidMaxPool((4, 2, 1))(maps), torch.cat(wanted, 1))


@pytest.mark.parametrize("size", [(32, 32), (33, 500), (500, 33), (65, 97)])
def test_images_of_any_size_make_equally_many_features(
    spp: Classifier, size: tuple[int, int]
) -> None:
    with torch.no_grad():
        assert spp.embed(noise(2, 3, *size)).shape == (2, 26_880)


def test_batches_answer_as_one_image_at_a_time_does(spp: Classifier) -> None:
    sizes = [(32, 32), (64, 96), (32, 32), (40, 200), (64, 96), (96, 64), (32, 32), (64, 96)]
    images = [pictures(1, *size, seed=seed)[0] for seed, size in enumerate(sizes)]
    batches = list(SizeBuckets(sizes, max_pixels=2 * 64 * 96, batch_size=8))
    with torch.no_grad():
        alone = torch.cat([spp(image[None]).softmax(1) for image in images])
        together = [spp(torch.stack([images[i] for i in batch])).softmax(1) for batch in batches]
    assert alone.std(0).min() > 1e-2
    assert sorted(len(batch) for batch in batches) == [1, 1, 1, 2, 3]
    order = [i for batch in batches for i in batch]
    torch.testing.assert_close(torch.cat(together), alone[order], atol=1e-4, rtol=0)


def test_padding_a_batch_would_answer_differently(spp: Classifier) -> None:
    image = noise(1, 3, 64, 64)
    with torch.no_grad():
        padded = spp(nn.functional.pad(image, (0, 64, 0, 64)))
        assert not torch.allclose(padded, spp(image), atol=1e-2)


# --- Buckets ------------------------------------------------------------------------------------

SIZES = [[(64, 64), (32, 64), (64, 32), (200, 300)][i * i % 4 if i % 7 else 3] for i in range(90)]
LIMITS = {"max_pixels": 10 * 64 * 64, "batch_size": 8}


@pytest.mark.parametrize("shuffle", [True, False])
def test_each_image_is_in_one_batch_of_its_size_and_the_cap_holds(shuffle: bool) -> None:
    buckets = SizeBuckets(SIZES, **LIMITS, shuffle=shuffle)
    batches = list(buckets)
    assert sorted(index for batch in batches for index in batch) == list(range(90))
    assert len(batches) == len(buckets)
    for batch in batches:
        ((height, width),) = {SIZES[index] for index in batch}
        assert len(batch) <= 8
        assert len(batch) == 1 or len(batch) * height * width <= 10 * 64 * 64
    assert max(map(len, batches)) == 8


def test_an_image_larger_than_the_cap_travels_alone() -> None:
    batches = list(SizeBuckets([(500, 500)] * 3 + [(10, 10)] * 4, 1000, 8))
    assert sorted(map(len, batches)) == [1, 1, 1, 4]


def test_batches_are_as_large_as_the_cap_lets_them_be() -> None:
    assert [len(b) for b in SizeBuckets([(10, 10)] * 10, 400, 8, shuffle=False)] == [4, 4, 2]
    assert list(SizeBuckets([], 400, 8)) == []


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        buckets = SizeBuckets(SIZES, **LIMITS, seed=seed)
        buckets.set_epoch(epoch)
        torch.manual_seed(len(list(buckets)) + epoch)  # the global generator has no say
        return list(buckets)

    assert order(3, 5) == order(3, 5)
    assert order(3, 5) != order(3, 6)
    assert order(3, 5) != order(4, 5)
    state = torch.get_rng_state()
    list(SizeBuckets(SIZES, **LIMITS))
    assert torch.equal(torch.get_rng_state(), state)


def test_limits_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        SizeBuckets([(1, 1)], 0, 1)
    with pytest.raises(ValueError, match="at least 1"):
        SizeBuckets([(1, 1)], 1, 0)


# --- Export -------------------------------------------------------------------------------------


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
        if torch.jit.is_scripting() and images.shape[3] > 100:
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
