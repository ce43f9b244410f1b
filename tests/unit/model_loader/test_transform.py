"""The stored transform is torchvision's Resize → ToTensor → Normalize, without torchvision."""

from __future__ import annotations

import importlib
import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from model_loader import (
    ModelCorruptError,
    ModelIncompatibleError,
    Normalize,
    Resize,
    Transform,
)
from model_loader.operations import IMAGE_OPS, CenterCrop, Fit, ImageOp, Pad
from samples.draw import CLASSES, draw_image
from tests.support.images import decode_image, encode, halves, noise
from training.torchvision_import import torchvision

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMALIZE = {"op": "normalize", "mean": list(MEAN), "std": list(STD)}
RESIZE = {"op": "resize", "height": 224, "width": 224}
FIT = {"op": "fit", "min_side": 32, "max_pixels": 50_000}

PICTURES = {
    **{label: draw_image(label) for label in CLASSES},
    "noise": noise(301, 199),
    "one pixel": Image.new("RGB", (1, 1), (10, 200, 30)),
    "one row": noise(500, 1),
    "one column": noise(1, 500),
    "smaller": noise(31, 47),
    "already right": noise(224, 224),
    "very wide": noise(3000, 40),
    "grey": noise(90, 120).convert("L"),
    "transparent": noise(90, 120).convert("RGBA"),
    "palette": halves().quantize(2),
}


@pytest.mark.parametrize(("height", "width"), [(224, 224), (96, 160)])
@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_it_equals_torchvisions(picture: Image.Image, height: int, width: int) -> None:
    image = decode_image(encode(picture, "PNG"))
    theirs = torchvision.transforms.Compose(
        [
            torchvision.transforms.Resize((height, width)),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize(MEAN, STD),
        ]
    )(image).numpy()
    ours = Transform((Resize(height, width),), Normalize(MEAN, STD))(image)
    assert ours.dtype == np.float32
    assert ours.shape == (3, height, width)
    levels = np.abs(ours - theirs) * np.array(STD).reshape(3, 1, 1) * 255
    assert levels.max() <= 0.01  # of 255 levels; 1 would do


v2 = importlib.import_module(f"{torchvision.__name__}.transforms.v2")

SIZES = [(1, 1), (30, 47), (223, 225), (224, 224), (225, 223), (227, 230), (1, 500), (301, 199)]


@pytest.mark.parametrize(("height", "width"), [(224, 224), (96, 161), (33, 300)])
@pytest.mark.parametrize("size", SIZES)
def test_a_crop_equals_torchvisions_old_and_new(
    size: tuple[int, int], height: int, width: int
) -> None:
    image = noise(*size)
    ours = np.asarray(CenterCrop(height, width)(image))
    for theirs in (torchvision.transforms.CenterCrop, v2.CenterCrop):
        np.testing.assert_array_equal(ours, np.asarray(theirs((height, width))(image)))
    planes = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    cut = v2.CenterCrop((height, width))(planes)
    np.testing.assert_array_equal(ours.transpose(2, 0, 1), cut.numpy())


@pytest.mark.parametrize(("height", "width"), [(224, 224), (96, 161), (33, 300)])
@pytest.mark.parametrize("size", SIZES)
def test_padding_equals_torchvisions_and_cuts_nothing(
    size: tuple[int, int], height: int, width: int
) -> None:
    image = noise(*size)
    more_x, more_y = max(0, width - image.width), max(0, height - image.height)
    sides = [more_x // 2, more_y // 2, more_x - more_x // 2, more_y - more_y // 2]
    ours = Pad(height, width)(image)
    assert ours.size == (max(width, size[0]), max(height, size[1]))
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(v2.Pad(sides)(image)))


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((300, 100), (300, 100)),  # between the bounds: untouched
        ((16, 16), (32, 32)),
        ((40, 10), (128, 32)),
        ((10, 40), (32, 128)),
        ((1000, 500), (316, 158)),
        ((1, 1), (32, 32)),
        ((1, 3000), (32, 1562)),  # ribbons give up their aspect ratio alone
        ((3000, 1), (1562, 32)),
        ((3000, 40), (1562, 32)),
        ((20_000, 3000), (577, 86)),
    ],
)
def test_fitting_keeps_the_aspect_ratio_inside_both_bounds(
    size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert Fit(32, 50_000).output_size(*size) == fitted


def test_fitting_ends_inside_the_bounds_whatever_comes() -> None:
    random = np.random.default_rng(0)
    for _ in range(5000):
        width, height = (int(2**exponent) for exponent in random.uniform(0, 14, 2))
        least = int(random.integers(1, 60))
        most = int(random.integers(least**2, least**2 + 90_000))
        x, y = Fit(least, most).output_size(width, height)
        assert min(x, y) >= least
        assert x * y <= most
        ribbon = max(width, height) / min(width, height) > most / least**2 / 1.1
        if not ribbon:
            # A pixel of rounding on either side is all that the aspect ratio may lose.
            assert (x - 1) / (y + 1) <= width / height <= (x + 1) / max(y - 1, 0.1)
        if least <= min(width, height) and width * height <= most:
            assert (x, y) == (width, height)


@pytest.mark.parametrize("op", [Resize(50, 60), Pad(50, 60), CenterCrop(50, 60), Fit(32, 5000)])
@pytest.mark.parametrize("size", [(20, 30), (55, 40), (200, 90), (1, 300)])
def test_an_operation_tells_the_size_it_gives(op: ImageOp, size: tuple[int, int]) -> None:
    assert op(noise(*size)).size == op.output_size(*size)


def test_fitting_resizes_as_torchvision_does() -> None:
    image = draw_image(CLASSES[0])
    ours = Fit(32, 10_000)(image)
    theirs = torchvision.transforms.Resize((ours.height, ours.width))(image)
    assert ours.width * ours.height < image.width * image.height
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_levels_are_normalised_as_pictures_are() -> None:
    image = noise(30, 20)
    normalize = Normalize(MEAN, STD)
    np.testing.assert_array_equal(normalize(np.asarray(image)), normalize(image))


@pytest.mark.parametrize(
    "ops",
    [
        (Pad(224, 200), CenterCrop(224, 200)),
        (Fit(32, 50_000),),
        (Resize(96, 160),),
        (),
    ],
)
def test_every_operation_survives_model_json(ops: tuple[ImageOp, ...]) -> None:
    transform = Transform(ops, Normalize(MEAN, STD))
    assert Transform.from_json(json.loads(json.dumps(transform.to_json()))) == transform


def test_operations_have_their_documented_names() -> None:
    assert list(IMAGE_OPS) == ["resize", "pad", "center_crop", "fit"]


def test_it_survives_model_json() -> None:
    transform = Transform((Resize(96, 160),), Normalize(MEAN, STD))
    assert Transform.from_json(transform.to_json()) == transform
    assert Transform.from_json([RESIZE, NORMALIZE]).to_json() == [RESIZE, NORMALIZE]


def test_an_operation_that_is_not_known_asks_for_a_newer_handler() -> None:
    with pytest.raises(ModelIncompatibleError, match="'sharpen'.*Deploy a newer"):
        Transform.from_json([{"op": "sharpen"}, NORMALIZE])


@pytest.mark.parametrize(
    ("ops", "complaint"),
    [
        ("resize", "must be a list"),
        ([], "must be a list"),
        ([RESIZE], "'normalize' once, as its last"),
        ([NORMALIZE, RESIZE], "'normalize' once, as its last"),
        ([NORMALIZE, NORMALIZE], "'normalize' once, as its last"),
        ([{"op": "resize", "height": 224}, NORMALIZE], "exactly the values height, width"),
        ([{**RESIZE, "depth": 3}, NORMALIZE], "exactly the values height, width"),
        ([{**RESIZE, "height": 0}, NORMALIZE], "from 1 to 4096"),
        ([{**RESIZE, "height": "224"}, NORMALIZE], "from 1 to 4096"),
        ([{**RESIZE, "height": True}, NORMALIZE], "from 1 to 4096"),
        ([{**RESIZE, "op": "pad", "width": 5000}, NORMALIZE], "'pad': height and width"),
        ([{"op": "center_crop", "height": 3}, NORMALIZE], "'center_crop' must .* height, width"),
        ([{**FIT, "min_side": 0}, NORMALIZE], "min_side must be .* 1 to 4096"),
        ([{**FIT, "max_pixels": 1023}, NORMALIZE], r"min_side squared \(1024\)"),
        ([{**FIT, "max_pixels": 10**9}, NORMALIZE], "to 16777216"),
        ([{**FIT, "max_pixels": 50_000.5}, NORMALIZE], "max_pixels must be a whole number"),
        ([{**RESIZE, "op": "fit"}, NORMALIZE], "exactly the values max_pixels, min_side"),
        ([RESIZE, {**NORMALIZE, "std": [0, 1, 1]}], "above zero"),
        ([RESIZE, {**NORMALIZE, "mean": [0, 1]}], "three finite numbers"),
        ([RESIZE, {**NORMALIZE, "mean": 0.5}], "normalize"),
    ],
)
def test_a_transform_that_is_not_whole_says_what_is_wrong(ops: Any, complaint: str) -> None:
    with pytest.raises(ModelCorruptError, match=complaint):
        Transform.from_json(ops)
