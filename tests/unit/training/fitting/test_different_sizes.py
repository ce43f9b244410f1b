"""Images of different sizes: in training alone, in validation alone, one of them, or none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.fitting_material import fit, recipe
from tests.support.images import encode, noise
from training.data.split import Split
from training.data.table import LabelledImage
from training.fitting.run_images import read_split_images
from training.fitting.stage_data import StageData
from training.models.network import Classifier

LABELS = ("a", "b", "c")
EVEN, ODD, TINY, RIBBON, LARGE = (64, 64), (96, 64), (1, 1), (2, 300), (700, 500)
"""Widths and heights."""

Sizes = list[tuple[int, int]]


def network() -> Classifier:
    """Return a network whose maps are a 32nd of an image, so 1 × 1 for the smallest."""
    torch.manual_seed(0)
    blocks = [
        nn.Sequential(nn.Conv2d(3, 8, 32, stride=32), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU()),
    ]
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
    return Classifier(nn.Sequential(*blocks), pool, nn.Sequential(nn.Linear(8, 3)))


def images(root: Path, training: Sizes, validation: Sizes, changes: list[str]) -> StageData:
    """Return images of these sizes, as the strategy ``variable`` brings them to the network."""
    parts = []
    for part, sizes in (("train", training), ("val", validation)):
        rows = []
        for number, size in enumerate(sizes):
            label = LABELS[number % len(LABELS)]
            (root / label).mkdir(parents=True, exist_ok=True)
            row = LabelledImage(f"{label}/{part}-{number}.png", label)
            (root / row.file).write_bytes(encode(noise(*size, number), "PNG"))
            rows.append(row)
        parts.append(tuple(rows))
    chosen = recipe("thaw: head, epochs: 1", changes=changes)
    read = read_split_images(root, LABELS, Split(parts[0], parts[1], ()))
    return read.stage_data(chosen, chosen.stages[0])


@pytest.mark.parametrize("augment", ["null", "[{op: random_rotate90, p: 1.0}]"], ids=["", "turned"])
@pytest.mark.parametrize("stage", ["thaw: head", "thaw: 1", "thaw: all", "thaw: all, views: 0"])
@pytest.mark.parametrize(
    ("training", "validation"),
    [
        pytest.param([EVEN] * 9, [EVEN] * 6, id="all of one size"),
        pytest.param([EVEN] * 9, [EVEN] * 5 + [ODD], id="a validation image of another"),
        pytest.param([EVEN] * 9, [ODD] * 6, id="all validation images of another"),
        pytest.param([EVEN] * 8 + [ODD], [EVEN] * 6, id="a training image of another"),
        pytest.param([EVEN] * 8 + [TINY], [RIBBON] * 3, id="smaller than the least"),
        pytest.param([RIBBON, TINY, LARGE] * 3, [LARGE, ODD, TINY], id="all kinds"),
    ],
)
def test_images_of_any_sizes_are_trained_on_and_measured(
    tmp_path: Path, training: Sizes, validation: Sizes, stage: str, augment: str
) -> None:
    changes = ["sizing={strategy: variable, size: 128}", f"augment={augment}", "batch_size=4"]
    material = images(tmp_path / "data", training, validation, changes)
    chosen = recipe(f"{stage}, epochs: 2", changes=changes)
    model, made = fit(tmp_path / "run", chosen, material, network())
    model.eval()
    losses = []
    with torch.inference_mode():
        for number, label in enumerate(material.validation_labels):
            logits = model(material.validation[number][0][None])
            losses.append(nn.functional.cross_entropy(logits, label[None]).item())
    mean = sum(losses) / len(losses)
    assert made.epochs[-1].validation.loss == pytest.approx(mean, rel=1e-2)


def test_an_image_alone_in_its_batch_keeps_batchnorms_statistics(tmp_path: Path) -> None:
    changes = ["sizing={strategy: variable, size: 128}", "augment=null", "batch_size=4"]
    single = images(tmp_path / "data", [EVEN, ODD, TINY], [EVEN], changes)
    fresh, changed = network().state_dict(), False
    model, _ = fit(
        tmp_path / "run", recipe("thaw: all, epochs: 1", changes=changes), single, network()
    )
    for key, value in model.state_dict().items():
        if "running" in key:
            assert torch.equal(value, fresh[key]), key
        changed |= not torch.equal(value, fresh[key])
    assert changed
