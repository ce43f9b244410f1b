"""What a frozen part gives is kept once an image and view, as it is, and in turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.support.fitting_material import N, fit, go_on, material, network, pairs, recipe
from training.errors import InterruptedRunError, TrainingError
from training.fitting.features import CachedFeatures, compute_features
from training.fitting.hardware import Hardware
from training.fitting.process_group import ProcessGroup
from training.fitting.stage_data import StageData, prepare
from training.fitting.thaw import StagedModel
from training.models.network import Classifier

CPU = torch.device("cpu")
EPOCHS = 11


def feed(folder: Path, stage: str, augments: bool = True) -> StageData:
    chosen = recipe(f"thaw: head, {stage}").stages[0]
    staged = StagedModel(network(), "head")
    host = ProcessGroup(Hardware("cpu"))
    return prepare(material(augments), staged, chosen, folder, 3, CPU, host)


def seen(found: StageData, epoch: int) -> Tensor:
    assert isinstance(found.training, CachedFeatures)
    return found.training.__getitems__([epoch * N + i for i in range(N)])[0]


def plain(found: StageData) -> Tensor:
    return torch.stack([found.plain[i][0] for i in range(N)])


# Views.


@pytest.mark.parametrize(
    ("stage", "views"),
    [
        (f"epochs: {EPOCHS}", 8),
        ("epochs: 5", 5),
        (f"epochs: {EPOCHS}, views: 1", 1),
        (f"epochs: {EPOCHS}, views: 3", 3),
        ("epochs: 2, views: 3", 2),
    ],
)
def test_epochs_take_augmented_views_then_the_plain_one_in_turn(
    tmp_path: Path, stage: str, views: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = feed(tmp_path, stage)
    assert f"computed ahead: {views}" in capsys.readouterr().err
    shown = [seen(found, epoch) for epoch in range(2 * (views + 1))]
    for i in range(views):
        assert all(not torch.equal(shown[i], other) for other in shown[:i])
    assert torch.equal(shown[views], plain(found))
    for i in range(views + 1):
        assert torch.equal(shown[i], shown[i + views + 1])
    assert len(np.load(tmp_path / "augmented.npy")) == views * N


def test_without_augmentation_every_epoch_takes_the_plain_images(tmp_path: Path) -> None:
    found = feed(tmp_path, f"epochs: {EPOCHS}, views: 4", augments=False)
    assert all(torch.equal(seen(found, epoch), plain(found)) for epoch in range(3))
    assert not (tmp_path / "augmented.npy").exists()


def test_each_view_is_what_its_epoch_would_augment(tmp_path: Path) -> None:
    ahead, fresh = feed(tmp_path, "epochs: 4"), feed(tmp_path, "epochs: 4, views: 0")
    model = network().eval()
    for epoch in range(4):
        images = torch.stack([fresh.training[epoch * N + i][0] for i in range(N)])
        with torch.inference_mode():
            wanted = model.embed(images)
        torch.testing.assert_close(seen(ahead, epoch), wanted, rtol=1e-4, atol=1e-5)


def head_after(folder: Path, stage: str) -> Tensor:
    model, _ = fit(folder, recipe(f"thaw: head, {stage}"), material(True), network(0))
    return model.head.weight.detach()


def test_training_on_views_computed_ahead_is_training_on_fresh_ones(tmp_path: Path) -> None:
    ahead, fresh = (
        head_after(tmp_path / "1", "epochs: 2"),
        head_after(tmp_path / "2", "epochs: 2, views: 0"),
    )
    single = head_after(tmp_path / "3", "epochs: 2, views: 1")
    assert (ahead - fresh).norm() / fresh.norm() < 1e-5
    assert (single - fresh).norm() / fresh.norm() > 1e-4


def test_a_run_that_is_resumed_goes_on_with_the_view_of_its_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = recipe("thaw: head, epochs: 5, views: 2")
    whole, made = fit(tmp_path / "1", stages, material(True))
    take = CachedFeatures.__getitems__

    def interrupted(self: CachedFeatures, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        if numbers[0] // N == 3:
            raise KeyboardInterrupt
        return take(self, numbers)

    monkeypatch.setattr(CachedFeatures, "__getitems__", interrupted)
    with pytest.raises(InterruptedRunError):
        fit(tmp_path / "2", stages, material(True))
    monkeypatch.undo()
    again, resumed = go_on(tmp_path / "2", stages, material(True))
    assert torch.equal(whole.head.weight, again.head.weight)
    assert [epoch.step_loss for epoch in made.epochs] == [e.step_loss for e in resumed.epochs]


# Range.


def maps(largest: float) -> list[NDArray[np.float32]]:
    values = np.linspace(-1, 1, 4 * 2 * 3 * 3, dtype=np.float32).reshape(4, 2, 3, 3)
    return [values, values * 2, values * largest]


def compute(folder: Path, batches: list[NDArray[np.float32]]) -> NDArray[np.generic]:
    left = iter(batches)
    n = sum(map(len, batches))
    images = pairs(torch.zeros(n, 1), torch.zeros(n, dtype=torch.int64))
    return compute_features(lambda _: next(left), [images], n, folder / "f.npy", "Features", 4)


@pytest.mark.parametrize(
    ("largest", "kind"),
    [(1, np.float16), (65504, np.float16), (65505, np.float32), (1e30, np.float32)],
)
def test_maps_beyond_float16_are_kept_as_float32(
    tmp_path: Path, largest: float, kind: type, capsys: pytest.CaptureFixture[str]
) -> None:
    batches = maps(largest)
    rows = compute(tmp_path, batches)
    for found in (rows, np.load(tmp_path / "f.npy", mmap_mode="r")):
        assert found.dtype == kind
        wanted = np.concatenate(batches)
        np.testing.assert_allclose(found.astype(np.float32), wanted, rtol=1e-3, atol=1e-3)
    assert ("numbers above 65,504" in capsys.readouterr().err) == (kind is np.float32)
    assert [path.name for path in tmp_path.iterdir()] == ["f.npy"]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("shape", [(4, 7), (4, 2, 3, 3)])
def test_a_frozen_part_that_gives_no_numbers_is_named(
    tmp_path: Path, value: float, shape: tuple[int, ...]
) -> None:
    output = np.zeros(shape, dtype=np.float32)
    output[-1, -1] = value
    with pytest.raises(TrainingError, match="frozen layers give (inf|nan) for an image"):
        compute(tmp_path, [output])


def loud() -> Classifier:
    """Return a network whose frozen blocks give maps up to 10⁶, and go on as if they did not."""
    model = network(0)
    norm, convolution = model.get_submodule("features.0.1"), model.get_submodule("features.1.0")
    assert isinstance(norm, torch.nn.BatchNorm2d)
    assert isinstance(convolution, torch.nn.Conv2d)
    with torch.no_grad():
        norm.weight.mul_(1e6)
        convolution.weight.div_(1e6)
    return model


def test_a_stage_is_trained_on_maps_beyond_float16(tmp_path: Path) -> None:
    stage = "thaw: 2, epochs: 2"
    cached, made = fit(tmp_path / "1", recipe(stage), material(), loud())
    fresh, _ = fit(tmp_path / "2", recipe(f"{stage}, views: 0"), material(), loud())
    difference = (cached.head.weight - fresh.head.weight).norm() / fresh.head.weight.norm()
    assert difference < 1e-3
    assert made.epochs[-1].validation.loss < 1.2


def test_views_may_be_kept_in_different_kinds() -> None:
    views: list[NDArray[np.generic]] = [
        np.ones((3, 2), np.float16),
        np.full((3, 2), 1e6, np.float32),
    ]
    cached = CachedFeatures(views, torch.arange(3))
    features, labels = cached.__getitems__([0, 5])
    assert features.dtype == torch.float32
    assert features.tolist() == [[1, 1], [1e6, 1e6]]
    assert labels.tolist() == [0, 2]
