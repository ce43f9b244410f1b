"""Augmentation: named operations, drawn from torch's generator, and the documents' strategies."""

from __future__ import annotations

import importlib
import itertools
import pickle
import time
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model_loader import Normalize, Resize, Transform
from model_loader.operations import CenterCrop, Fit, Pad
from tests.support.images import noise
from training.augment.augmentations import (
    OPERATIONS,
    Augmentation,
)
from training.augment.grid_distortion import GridDistortion
from training.augment.sizing import STRATEGIES, get_strategy
from training.errors import TrainingError
from training.recipe import load_recipe
from training.torchvision_import import torchvision

v2 = importlib.import_module(f"{torchvision.__name__}.transforms.v2")
NORMALIZE = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
ALWAYS = {"op": "cutout", "p": 1.0}
NEEDED: dict[str, dict[str, Any]] = {"resize": {"height": 40, "width": 30}}


def planes(width: int, height: int, seed: int = 0) -> Tensor:
    """Return noise as uint8 [3, height, width]."""
    return torch.from_numpy(np.array(noise(width, height, seed))).permute(2, 0, 1)


def drawn(entry: dict[str, Any], image: Tensor, seed: int) -> Tensor:
    torch.manual_seed(seed)
    return Augmentation([entry])(image)


@pytest.mark.parametrize("op", OPERATIONS)
def test_each_operation_follows_torchs_generator_and_leaves_its_input(op: str) -> None:
    entry = {"op": op, **NEEDED.get(op, {})}
    image = planes(60, 50)
    before = image.clone()
    results = [drawn(entry, image, seed) for seed in range(24)]
    assert torch.equal(image, before)
    assert all(result.dtype == torch.uint8 and result.shape[0] == 3 for result in results)
    assert torch.equal(results[3], drawn(entry, image, 3))
    differing = {(result.shape, result.numpy().tobytes()) for result in results}
    assert len(differing) == 1 if op == "resize" else len(differing) > 1


@pytest.mark.parametrize(
    ("entry", "theirs"),
    [
        ({"op": "random_resized_crop", "size": 20}, v2.RandomResizedCrop(20)),
        ({"op": "random_crop", "size": 64}, v2.RandomCrop(64, pad_if_needed=True)),
        (ALWAYS, v2.RandomErasing(1.0)),
        ({"op": "horizontal_flip"}, v2.RandomHorizontalFlip()),
        ({"op": "resize", "height": 20, "width": 31}, v2.Resize((20, 31))),
    ],
    ids=lambda value: value["op"] if isinstance(value, dict) else "",
)
def test_it_is_torchvisions(entry: dict[str, Any], theirs: Any) -> None:
    image = planes(60, 50)
    for seed in range(5):
        ours = drawn(entry, image, seed)
        torch.manual_seed(seed)
        assert torch.equal(ours, theirs(image))


@pytest.mark.parametrize("op", sorted(set(OPERATIONS) - {"resize"}))
def test_a_chance_of_zero_changes_nothing(op: str) -> None:
    if op in ("random_resized_crop", "random_crop"):
        with pytest.raises(TrainingError, match=f"{op} has no parameter 'p'"):
            Augmentation([{"op": op, "p": 0}])
        return
    image = planes(30, 30)
    for seed in range(8):
        assert torch.equal(drawn({"op": op, "p": 0}, image, seed), image)


def test_a_turn_by_quarters_is_one_of_four_and_may_keep_the_shape() -> None:
    image = planes(5, 3)
    turns = [image.rot90(k, (-2, -1)) for k in range(4)]
    entry = {"op": "random_rotate90", "p": 1.0}
    found = {
        next(k for k, turn in enumerate(turns) if torch.equal(drawn(entry, image, seed), turn))
        for seed in range(40)
    }
    assert found == {0, 1, 2, 3}
    kept = [drawn({**entry, "keep_shape": True}, image, seed) for seed in range(40)]
    assert {tuple(each.shape) for each in kept} == {(3, 3, 5)}
    assert any(torch.equal(each, turns[2]) for each in kept)


def test_colour_does_not_move_and_geometry_does_not_colour() -> None:
    grey = torch.full((3, 40, 40), 90, dtype=torch.uint8)
    grey[:, 10, 10] = 200
    for op in ("brightness_contrast", "hue_saturation"):
        for seed in range(10):
            out = drawn({"op": op, "p": 1.0}, grey, seed)
            assert (out[:, 10, 10] >= out.amax(dim=(1, 2))).all()
    for op in ("shift_scale_rotate", "grid_distortion", "rotate"):
        out = drawn({"op": op, "p": 1.0}, grey, 1)
        assert torch.equal(out[0], out[1])
        assert not torch.equal(out, grey)


def test_a_grid_of_no_distortion_is_the_picture_itself() -> None:
    image = planes(61, 47)
    assert torch.equal(GridDistortion(5, 0.0)(image), image)


def test_a_distorted_grid_keeps_the_corners_and_the_order_of_columns_and_rows() -> None:
    # Levels that rise to the right in red and downwards in green tell where a pixel came from.
    across, down = torch.meshgrid(torch.arange(200), torch.arange(200), indexing="xy")
    image = torch.stack([across, down, torch.zeros_like(down)]).to(torch.uint8)
    moves = []
    for seed in range(10):
        torch.manual_seed(seed)
        out = GridDistortion(5, 0.3)(image).int()
        assert (out[0].diff(dim=1) >= 0).all()
        assert (out[1].diff(dim=0) >= 0).all()
        assert out[:2, 0, 0].tolist() == [0, 0]
        assert out[:2, -1, -1].tolist() == [199, 199]
        moves.append(int((out[0] - across).abs().max()))
    assert 3 < max(moves) < 0.3 * 200


def test_a_grids_cells_are_as_wide_as_documented() -> None:
    image = torch.arange(201).expand(3, 201, 201).to(torch.uint8)
    torch.manual_seed(5)
    out = GridDistortion(4, 0.3)(image)[0, 0]
    torch.manual_seed(5)
    factors = 1 + 0.3 * (2 * torch.rand(2, 4)[0] - 1)
    edges = torch.cat([torch.zeros(1), factors.cumsum(0) / factors.sum()]) * 200
    assert (out[::50] - edges).abs().max() <= 0.51


def test_a_grid_is_distorted_fast() -> None:
    image, distort = planes(224, 224), GridDistortion()
    threads, took = torch.get_num_threads(), []
    torch.set_num_threads(1)
    for _ in range(10):
        start = time.thread_time()
        distort(image)
        took.append(time.thread_time() - start)
    torch.set_num_threads(threads)
    assert min(took) < 0.02  # 0.0004 measured; torchvision's ElasticTransform took 0.251


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([{"op": "rotat"}], "unknown operation 'rotat'; did you mean 'rotate'"),
        ([{"op": "zzz"}], "unknown operation 'zzz'; valid are resize, "),
        ([{"op": "rotate", "limits": 3}], "rotate has no parameter 'limits'; did you mean 'limit'"),
        ([{"op": "rotate", "limit": 200}], "rotate: limit: .*less than or equal to 180.*200"),
        ([{"op": "cutout", "p": 1.5}], "cutout: p: .*1.5"),
        ([{"op": "cutout", "scale": [0.5, 0.1]}], "cutout: scale must be two ascending numbers"),
        ([{"op": "cutout", "scale": 0.5}], "cutout: scale"),
        ([{"op": "resize", "height": 3}], "resize needs 'width'"),
        ([{"op": "random_crop", "size": 0}], "random_crop: size"),
        ([{"op": "grid_distortion", "steps": 2.5}], "grid_distortion: steps"),
        (["rotate"], "'rotate' is no operation"),
        ([{"limit": 3}], "is no operation"),
        ([ALWAYS, {"op": "random_crop"}], "'random_crop' comes after 'cutout'"),
    ],
)
def test_a_list_that_is_wrong_says_why(entries: Any, complaint: str) -> None:
    with pytest.raises(TrainingError, match=complaint):
        Augmentation(entries)


def test_the_lists_of_the_documents_are_complete() -> None:
    def names(recipe: str) -> list[str]:
        loaded = load_recipe(recipe)
        strategy = loaded.strategy()
        entries = strategy.augmentation(loaded.augment or []).entries
        return [op.op for op in strategy.train_ops] + [entry["op"] for entry in entries]

    assert names("flying-objects") == [
        "resize", "random_resized_crop", "cutout", "horizontal_flip", "rotate",
    ]  # fmt: skip
    assert set(names("flying-objects-spp")) == {
        "fit", "brightness_contrast", "hue_saturation", "shift_scale_rotate", "grid_distortion",
        "random_rotate90",
    }  # fmt: skip
    assert names("flying-objects-multiscale") == ["pad", "random_crop"]


def test_the_strategies_are_those_of_the_documents() -> None:
    squash, pad_crop, variable = (get_strategy(name) for name in STRATEGIES)
    assert squash.train_ops == (Resize(512, 512),)
    assert squash.transform(NORMALIZE) == Transform((Resize(224, 224),), NORMALIZE)
    assert pad_crop.transform(NORMALIZE).image_ops == (Pad(224, 224), CenterCrop(224, 224))
    assert variable.transform(NORMALIZE).image_ops == (Fit(32, 224 * 224),)


@pytest.mark.parametrize(
    ("name", "width", "height"), [*itertools.product(STRATEGIES, [60, 130, 400], [70, 130, 300])]
)
def test_training_pictures_have_the_size_of_the_tests(name: str, width: int, height: int) -> None:
    strategy = get_strategy(name, 96)
    image = noise(width, height)
    test = np.asarray(strategy.transform(NORMALIZE).apply(image)).shape[:2]
    for op in strategy.train_ops:
        image = op(image)
    start = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    assert tuple(strategy.augmentation([])(start).shape[1:]) == test


def test_a_random_crop_is_another_one_each_time_and_shows_only_the_picture() -> None:
    strategy = get_strategy("pad_crop", 32)
    image = planes(100, 100)
    crop = strategy.augmentation([])
    torch.manual_seed(0)
    crops = [crop(image) for _ in range(5)]
    assert len({each.numpy().tobytes() for each in crops}) == 5
    windows = image.unfold(1, 32, 1).unfold(2, 32, 1)
    for each in crops:
        assert (windows == each[:, None, None]).all(dim=4).all(dim=3).all(dim=0).any()


def test_a_list_with_a_crop_of_its_own_replaces_the_strategys() -> None:
    own = {"op": "random_crop", "size": 64}
    assert get_strategy("squash", 64).augmentation([own]).entries == [own]


@pytest.mark.parametrize(
    ("name", "size", "complaint"),
    [("squsah", 224, "did you mean 'squash'"), ("squash", 8, "32 to 1792 pixels, not 8")],
)
def test_a_strategy_that_is_wrong_says_why(name: str, size: int, complaint: str) -> None:
    with pytest.raises(TrainingError, match=complaint):
        get_strategy(name, size)


def test_an_augmentation_travels_to_another_process() -> None:
    entries = Augmentation(load_recipe("flying-objects-spp").augment or [])
    copy = pickle.loads(pickle.dumps(entries))
    torch.manual_seed(1)
    first = entries(planes(60, 60))
    torch.manual_seed(1)
    assert torch.equal(copy(planes(60, 60)), first)
