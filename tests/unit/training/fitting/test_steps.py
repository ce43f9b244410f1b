"""The loss of every step and validation batch is kept, once, also by an interrupted run."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor

from tests.support.fitting_material import STAGES, N, fit, go_on, material, recipe
from training.errors import InterruptedRunError
from training.fitting.order import Examples
from training.run import Run

Rows = list[dict[str, str]]


class Interrupted(Examples):
    """Raises Ctrl-C when an image is asked for the so-many-th time."""

    def __init__(self, examples: Examples, asked: int) -> None:
        self._examples, self._left = examples, asked

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt
        return self._examples[index]


def steps(folder: Path) -> Rows:
    with Run(folder).steps.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The steps of a run of three stages, two epochs each, three steps an epoch."""
    folder = tmp_path_factory.mktemp("whole")
    fit(folder, recipe(*STAGES), material(augments=True))
    return steps(folder)


def test_each_step_has_its_stage_epoch_and_number(whole: Rows) -> None:
    assert [int(row["step"]) for row in whole] == list(range(18))
    assert [int(row["epoch"]) for row in whole] == [i // 3 for i in range(18)]
    assert [int(row["stage"]) for row in whole] == [i // 6 for i in range(18)]


def test_the_rate_is_that_which_the_step_was_made_with(whole: Rows) -> None:
    rates = [float(row["learning_rate"]) for row in whole[:6]]
    assert rates[0] == pytest.approx(0.01 / 25)  # where one_cycle begins
    assert max(rates) <= 0.01
    assert rates[-1] == min(rates)


def test_the_losses_of_an_epochs_steps_average_to_its_step_loss(tmp_path: Path) -> None:
    _, made = fit(tmp_path, recipe("thaw: all, epochs: 3"), material())
    rows = steps(tmp_path)
    for epoch in made.epochs:
        losses = [float(row["loss"]) for row in rows if int(row["epoch"]) == epoch.epoch]
        assert sum(losses) / len(losses) == pytest.approx(epoch.step_loss, rel=1e-5)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def validation_batches(folder: Path) -> Rows:
    with Run(folder).validation_steps.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_losses_of_the_validation_batches_average_to_the_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 24 images: three batches
    monkeypatch.setattr("training.fitting.stage_data._MEASURED_BATCH", 8)
    _, made = fit(tmp_path, recipe("thaw: head, epochs: 2", "thaw: all, epochs: 1"), material())
    rows = validation_batches(tmp_path)
    assert [(row["stage"], row["epoch"], row["batch"]) for row in rows] == [
        (stage, epoch, str(batch))
        for stage, epoch in (("0", "0"), ("0", "1"), ("1", "2"))
        for batch in range(3)
    ]
    for epoch in made.epochs:
        losses = [float(row["loss"]) for row in rows if int(row["epoch"]) == epoch.epoch]
        assert sum(losses) / 3 == pytest.approx(epoch.validation.loss, rel=1e-5)


def test_an_interrupted_run_goes_on_where_its_last_whole_epoch_ended(
    tmp_path: Path, whole: Rows
) -> None:
    images = material(augments=True)
    in_second_epoch = replace(images, training=Interrupted(images.training, N + N + 20))
    with pytest.raises(InterruptedRunError):
        fit(tmp_path, recipe(*STAGES), in_second_epoch)
    assert steps(tmp_path) == whole[:9]
    measured = validation_batches(tmp_path)
    assert [row["epoch"] for row in measured] == ["0", "1", "2"]
    with Run(tmp_path).validation_steps.open("a") as file:
        file.write("1,3,0,0.5\n1,3")
    with Run(tmp_path).steps.open("a") as file:
        file.write("1,3,9,0.5,0.01\n1,3,1")  # an epoch whose checkpoint was not written any more
    go_on(tmp_path, recipe(*STAGES), images)
    again = steps(tmp_path)
    assert again[:9] == whole[:9]
    measured_again = validation_batches(tmp_path)
    assert [row["epoch"] for row in measured_again] == [str(epoch) for epoch in range(6)]
    assert measured_again[:3] == measured
    for one, other in zip(again, whole, strict=True):
        assert [float(value) for value in one.values()] == pytest.approx(
            [float(value) for value in other.values()], rel=1e-4
        )
