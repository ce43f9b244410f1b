"""The model that comes with the project: whole, small, described truly, no stranger to drawings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from model_loader import Model, load_model
from model_loader.engine import ENGINES
from samples.draw import draw_sample_data
from training.models.classifier import build_model
from training.models.weights import SHIPPED_MODELS, find_weights, shipped_weights

FOLDER = SHIPPED_MODELS / "flying-objects"
PER_CLASS = 20
LARGEST = 20_000_000


@pytest.fixture(scope="module", params=list(ENGINES))
def model(request: pytest.FixtureRequest) -> Model:
    return load_model(str(FOLDER), request.param)


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    draw_sample_data(folder, images_per_class=PER_CLASS, seed=2027)
    return folder


def test_it_knows_drawings_though_it_learned_from_photographs(model: Model, drawings: Path) -> None:
    files = sorted(drawings.rglob("*.jpg"))
    right = [model.classify(file.read_bytes()).label == file.parent.name for file in files]
    assert len(right) == 4 * PER_CLASS
    assert sum(right) / len(right) >= 0.5  # chance: a quarter


def test_both_engines_give_the_same_answers(drawings: Path) -> None:
    one, other = (load_model(str(FOLDER), engine) for engine in ENGINES)
    for file in sorted(drawings.rglob("00*.jpg")):
        data = file.read_bytes()
        first, second = one.classify(data), other.classify(data)
        assert list(first.scores.values()) == pytest.approx(list(second.scores.values()), abs=1e-3)


def test_its_files_are_small(model: Model) -> None:
    assert sum(info.size for info in model.metadata.files.values()) <= LARGEST


def test_its_card_says_what_was_measured(model: Model) -> None:
    card = (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    test = model.metadata.metrics["test"]
    assert model.metadata.version in card
    assert f"{test['accuracy']:.3f}" in card
    for figures in test["classes"]:
        row = re.compile(
            rf"\| {figures['label']} \|.*{figures['recall']:.3f}.*\| {figures['n']} \|"
        )
        assert row.search(card), figures["label"]


def test_a_training_can_start_from_it() -> None:
    assert "flying-objects" in shipped_weights()
    state = find_weights("flying-objects", "mobilenet_v2")
    torch.manual_seed(0)
    started = build_model("mobilenet_v2", 2, state).state_dict()
    assert state
    for name, tensor in state.items():
        if name.startswith("features."):
            torch.testing.assert_close(started[name], tensor, check_dtype=False)
