"""Fitting: stages, frozen layers, caches, several processes, and resuming to the bit."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.fitting_material import (
    LABELS,
    STAGES,
    VALIDATION,
    N,
    fit,
    go_on,
    killed,
    material,
    network,
    pairs,
    recipe,
    torchrun,
)
from training.errors import TrainingError
from training.fitting.checkpoint import Progress, read_progress
from training.fitting.epochs import Epoch, Measure, write_history
from training.fitting.order import EpochOrder, Numbered
from training.fitting.thaw import StagedModel
from training.fitting.tracker import epoch_figures
from training.models.network import Classifier
from training.run import Run


def same(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return all(torch.equal(first[key], second[key]) for key in first)


def changed(model: Classifier) -> set[str]:
    before = network().state_dict()
    return {key for key, value in model.state_dict().items() if not torch.equal(before[key], value)}


def test_a_small_problem_is_learned(tmp_path: Path) -> None:
    _, made = fit(tmp_path, recipe("thaw: all, epochs: 12"), material())
    assert made.epochs[-1].validation.accuracy > 0.9
    assert made.epochs[-1].validation.loss < made.epochs[0].validation.loss / 2


@pytest.mark.parametrize(
    ("thaw", "trained"),
    [
        ("head", {"classifier.1"}),
        ("1", {"features.2.0", "features.2.1", "classifier.1"}),
        ("2", {"features.1.0", "features.1.1", "features.2.0", "features.2.1", "classifier.1"}),
    ],
)
@pytest.mark.parametrize("views", [0, 1])
def test_a_stage_changes_what_it_thaws_and_nothing_else(
    tmp_path: Path, thaw: str, trained: set[str], views: int
) -> None:
    model, _ = fit(tmp_path, recipe(f"thaw: {thaw}, epochs: 1, views: {views}"), material())
    assert {key.rsplit(".", 1)[0] for key in changed(model)} == trained


def test_frozen_batchnorm_stays_in_eval_mode_whatever_is_set() -> None:
    staged = StagedModel(network(), 1)
    staged.train()
    blocks = range(len(staged.model.features))
    modes = [staged.model.get_submodule(f"features.{i}.1").training for i in blocks]
    assert modes == [False, False, True]


def test_thawed_batchnorm_keeps_its_statistics_where_that_is_asked_for(tmp_path: Path) -> None:
    kept = recipe("thaw: all, epochs: 1, keep_statistics: true")
    model, _ = fit(tmp_path / "1", kept, material())
    other, _ = fit(tmp_path / "2", recipe("thaw: all, epochs: 1"), material())
    statistics = {key for key in model.state_dict() if "running" in key}
    assert len(statistics) == 6
    assert changed(model) & statistics == set()
    assert statistics <= changed(other)
    assert "features.0.1.weight" in changed(model)


def test_more_blocks_than_there_are_cannot_be_thawed() -> None:
    with pytest.raises(TrainingError, match="thaws 4 blocks, but the model has 3"):
        StagedModel(network(), 4)


@pytest.mark.parametrize("thaw", ["head", "1", "2"])
def test_training_on_cached_features_gives_the_weights_of_training_on_images(
    tmp_path: Path, thaw: str
) -> None:
    stage = f"thaw: {thaw}, epochs: 3"
    cached, _ = fit(tmp_path / "1", recipe(f"{stage}, views: 1"), material(), network(0))
    fresh, _ = fit(tmp_path / "2", recipe(f"{stage}, views: 0"), material(), network(0))
    first, second = cached.head.weight, fresh.head.weight
    assert (first - second).norm() / second.norm() < 1e-3
    assert (first - network(0).head.weight).norm() / second.norm() > 0.01


def test_caches_are_removed(tmp_path: Path) -> None:
    fit(tmp_path, recipe("thaw: head, epochs: 1"), material())
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_figures_are_those_of_the_model(tmp_path: Path) -> None:
    images = material()
    model, made = fit(tmp_path, recipe("thaw: all, epochs: 3"), images)
    model.eval()
    inputs = torch.stack([images.validation[i][0] for i in range(VALIDATION)])
    labels = images.validation_labels
    with torch.inference_mode():
        logits = model(inputs)
    last = made.epochs[-1].validation
    assert last.loss == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=0.3)
    answers = logits.argmax(1)
    assert last.accuracy == pytest.approx((answers == labels).double().mean().item())
    for i in range(len(LABELS)):
        right = ((answers == i) & (labels == i)).sum().item()
        assert last.recall[i] == pytest.approx(right / (labels == i).sum().item())
        answered = (answers == i).sum().item()
        assert last.precision[i] == (pytest.approx(right / answered) if answered else None)


def test_figures_of_nothing_are_left_out_of_the_tables(tmp_path: Path) -> None:
    measure = Measure(4)
    logits = torch.tensor([[9.0, 0, 0, 0], [9.0, 0, 0, 0], [0, 9.0, 0, 0]])
    measure.add(logits, torch.tensor([0, 2, 1]), torch.zeros(3))
    found = measure.compute()
    assert found.precision == (0.5, 1, None, None)  # the last two are never answered
    assert found.recall == (1, 1, 0, None)  # the last one has no images
    assert found.f1 == (2 / 3, 1, 0, None)
    assert found.top5 is None  # of four classes, it would be 1
    epoch = Epoch(0, 0, 0.1, 0.5, found, found, 1.0, 3.0)
    labels = ("a", "b", "c", "d")
    write_history([epoch], labels, tmp_path / "history.csv")
    with (tmp_path / "history-classes.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "validation"]
    assert [row["precision"] for row in rows] == ["0.5", "1.0", "", ""]
    assert not any(math.isnan(value) for value in epoch_figures(epoch, labels).values())
    assert "validation/precision/c" not in epoch_figures(epoch, labels)
    with (tmp_path / "history.csv").open() as file:
        assert [row["validation_top5"] for row in csv.DictReader(file)] == [""]


def test_the_tables_of_a_run_hold_every_epoch_part_and_class(tmp_path: Path) -> None:
    fit(tmp_path, recipe("thaw: head, epochs: 2", "thaw: 1, epochs: 1"), material())
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["stage"], row["epoch"]) for row in rows] == [("0", "0"), ("0", "1"), ("1", "2")]
    with (tmp_path / "history-classes.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3 * 2 * len(LABELS)


def test_the_best_weights_are_those_of_the_lowest_validation_loss(tmp_path: Path) -> None:
    images = material()
    _, made = fit(tmp_path, recipe("thaw: all, epochs: 6"), images)
    best = made.epochs[made.best([224])]
    model = network()
    model.load_state_dict(torch.load(Run(tmp_path).checkpoint, weights_only=True))
    model.eval()
    inputs = torch.stack([images.validation[i][0] for i in range(VALIDATION)])
    with torch.inference_mode():
        answers = model(inputs).argmax(1)
    accuracy = (answers == images.validation_labels).double().mean().item()
    assert accuracy == pytest.approx(best.validation.accuracy)


# Resuming.


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, Progress]:
    """The run that nothing interrupts."""
    return fit(tmp_path_factory.mktemp("whole"), recipe(*STAGES), material(augments=True))


@pytest.mark.parametrize(
    ("asked", "stage"),
    [
        pytest.param(N + N + 5, 1, id="in the first epoch of the second stage"),
        pytest.param(2 * N + N + 20, 1, id="in the last epoch of the second stage"),
        pytest.param(4 * N + N // 2, 2, id="in the last epoch of the last stage"),
    ],
)
def test_a_killed_run_that_is_resumed_ends_with_the_same_weights(
    tmp_path: Path, whole: tuple[Classifier, Progress], asked: int, stage: int
) -> None:
    killed(tmp_path, asked)
    before = len(read_progress(Run(tmp_path)).epochs)
    assert 0 < before < 6
    model, made = go_on(tmp_path, recipe(*STAGES), material(augments=True))
    assert same(model, whole[0])
    assert len(made.epochs) == 6
    for one, other in zip(made.epochs, whole[1].epochs, strict=True):
        assert one.validation == other.validation
        assert one.train == other.train


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    first, made = fit(tmp_path, recipe(*STAGES), material())
    second, again = go_on(tmp_path, recipe(*STAGES), material())
    assert same(first, second)
    assert again.epochs == made.epochs


def test_a_checkpoint_holds_what_a_person_looks_for(tmp_path: Path) -> None:
    fit(tmp_path, recipe("thaw: head, epochs: 2"), material())
    checkpoint = torch.load(Run(tmp_path).last, weights_only=True)
    assert checkpoint["epoch"] == 1
    assert checkpoint["progress"]["labels"] == list(LABELS)
    assert 0 < checkpoint["progress"]["best_accuracy"] <= 1
    assert len(checkpoint["progress"]["epochs"]) == 2
    assert checkpoint["optimizer_states"]
    assert checkpoint["lr_schedulers"]


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.last.parent.mkdir()
    with pytest.raises(TrainingError, match="no checkpoint to resume from"):
        read_progress(run)
    run.last.write_bytes(b"half")
    with pytest.raises(TrainingError, match=r"last.ckpt cannot be read"):
        read_progress(run)


def test_a_checkpoint_that_cannot_be_written_keeps_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(tmp_path, recipe("thaw: head, epochs: 1"), material())
    kept = Run(tmp_path).last.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lightning.Trainer.save_checkpoint", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*--resume"):
        fit(tmp_path, recipe("thaw: head, epochs: 1"), material())
    assert Run(tmp_path).last.read_bytes() == kept


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    images = material()
    fit(tmp_path, recipe("thaw: head, epochs: 1"), images)
    kept = Run(tmp_path).last.read_bytes()
    inputs = torch.full((N, 3, 9, 9), float("nan"))
    poisoned = pairs(inputs, images.labels)
    with pytest.raises(TrainingError, match=r"loss became nan in stage head, epoch 0, at .* rate"):
        fit(
            tmp_path,
            recipe("thaw: head, epochs: 1, views: 0"),
            replace(images, training=poisoned, plain=poisoned),
        )
    assert Run(tmp_path).last.read_bytes() == kept


# Several processes.


def test_two_processes_share_one_permutation_step_by_step() -> None:
    single = list(EpochOrder(48, seed=3))
    shares = [list(EpochOrder(48, 3, rank, 2)) for rank in (0, 1)]
    for step in range(0, 48, 16):
        local = slice(step // 2, step // 2 + 8)
        together = set(shares[0][local]) | set(shares[1][local])
        assert together == set(single[step : step + 16])


def test_two_processes_end_with_the_weights_and_figures_of_one(tmp_path: Path) -> None:
    torchrun(2, "share", tmp_path / "2")
    model, made = fit(tmp_path / "1", recipe("thaw: head, epochs: 3"), material(), network(0))
    shared = read_progress(Run(tmp_path / "2"))
    for one, other in zip(made.epochs, shared.epochs, strict=True):
        assert other.step_loss == pytest.approx(one.step_loss, abs=1e-5)
        assert other.validation.loss == pytest.approx(one.validation.loss, abs=1e-5)
        assert other.validation.recall == one.validation.recall
        assert other.train.accuracy == one.train.accuracy
    state = torch.load(Run(tmp_path / "2").last, weights_only=True)["state_dict"]
    torch.testing.assert_close(state["staged.model.classifier.1.weight"], model.head.weight)
    # The frozen part saw each image once, and the first 16 to compare; in one of the two processes.
    asked = [int((tmp_path / "2" / f"asked-{rank}").read_text()) for rank in (0, 1)]
    assert asked == [N + 16, 0]


def test_processes_that_find_other_rates_train_with_the_first_ones(tmp_path: Path) -> None:
    torchrun(2, "disagree", tmp_path)
    rates, weights = torch.load(tmp_path / "ended-0", weights_only=True)
    others, other_weights = torch.load(tmp_path / "ended-1", weights_only=True)
    assert rates == others
    assert rates == read_progress(Run(tmp_path)).learning_rates
    assert all(torch.equal(weights[key], other_weights[key]) for key in weights)


def test_processes_that_have_other_images_all_say_so(tmp_path: Path) -> None:
    torchrun(2, "compare", tmp_path)
    said = [path.read_text() for path in tmp_path.glob("said-*")]
    assert said == 2 * [
        "The images of process 1 and of process 0 differ. Give all of them one command and the "
        "same files."
    ]


def test_an_epochs_order_is_its_own() -> None:
    order = EpochOrder(10, seed=3)
    first = list(order)
    order.set_epoch(1)
    second = list(order)
    assert sorted(second) == list(range(10, 20))
    assert [number % 10 for number in second] != first
    assert sorted(first) == list(range(10))


def test_a_number_fixes_the_chance_and_leaves_the_random_state() -> None:
    images = material(augments=True)
    numbered = Numbered(images.training, N, seed=1)
    state = torch.get_rng_state()
    first = numbered[5][0]
    assert torch.equal(first, numbered[5][0])
    assert not torch.equal(first, numbered[5 + N][0])
    assert torch.equal(torch.get_rng_state(), state)
