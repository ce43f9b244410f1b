"""The stored transform is torchvision's Resize → ToTensor → Normalize, without torchvision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from model_loader import (
    ModelCorruptError,
    ModelIncompatibleError,
    Normalize,
    Resize,
    Transform,
    decode_image,
)
from tests.images import encode, halves, noise
from training.models.torchvision_import import torchvision
from training.samples.draw import CLASSES, draw_image

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMALIZE = {"op": "normalize", "mean": list(MEAN), "std": list(STD)}
RESIZE = {"op": "resize", "height": 224, "width": 224}

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
        ([RESIZE, {**NORMALIZE, "std": [0, 1, 1]}], "above zero"),
        ([RESIZE, {**NORMALIZE, "mean": [0, 1]}], "three finite numbers"),
        ([RESIZE, {**NORMALIZE, "mean": 0.5}], "normalize"),
    ],
)
def test_a_transform_that_is_not_whole_says_what_is_wrong(ops: Any, complaint: str) -> None:
    with pytest.raises(ModelCorruptError, match=complaint):
        Transform.from_json(ops)
