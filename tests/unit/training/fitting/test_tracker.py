"""Trackers hold what the run's own tables hold, counted through all stages, also when resumed."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import wandb
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch import Tensor
from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]
from wandb.sdk.internal.datastore import DataStore

from tests.support.fitting_material import N, fit, go_on, material, recipe
from training import start as start_module
from training.errors import TrainingError
from training.fitting.order import Examples
from training.fitting.tracker import tracking
from training.recipe import Recipe
from training.run import Run
from training.start import check_tracker

STEPS = 3  # of an epoch: 48 images in batches of 16
TIMES = ("epoch/seconds", "epoch/images_per_second", "epoch/elapsed")

Points = Mapping[str, Mapping[int, float]]
"""By name: the values at their places on the x axis."""


def stages() -> Recipe:
    return recipe("thaw: head, epochs: 2, views: 0", "thaw: 1, epochs: 2, views: 0")


class StoppedError(Exception):
    """What a training that is stopped ends with."""


class StopsAt(Examples):
    """Stops the training when an image is asked for the so-many-th time."""

    def __init__(self, examples: Examples, asked: int) -> None:
        self._examples, self._left = examples, asked

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        self._left -= 1
        if self._left == 0:
            raise StoppedError
        return self._examples[index]


def stop_and_go_on(folder: Path, tracker: str) -> None:
    """Train, be stopped in the last epoch but after one of its steps, and train to the end."""
    images = material(augments=True)
    stopping = replace(images, training=StopsAt(images.training, 3 * N + 20))
    with pytest.raises(StoppedError):
        fit(folder, stages(), stopping, tracker=tracker)
    go_on(folder, stages(), images, tracker=tracker)


def of_the_tables(folder: Path) -> Points:
    """Return what ``history.csv`` and ``history-classes.csv`` hold, under the trackers' names."""
    points: dict[str, dict[int, float]] = {}
    with (folder / "history.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            epoch = int(row.pop("epoch"))
            for column, value in row.items():
                part, _, figure = column.partition("_")
                inside = part in ("train", "validation")
                name = f"{part}/{figure}" if inside else f"epoch/{column}"
                if value:  # not a figure of nothing
                    points.setdefault(name, {})[epoch] = float(value)
    with (folder / "history-classes.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for figure in ("precision", "recall", "f1"):
                name = f"{row['part']}/{figure}/{row['label']}"
                if row[figure]:
                    points.setdefault(name, {})[int(row["epoch"])] = float(row[figure])
    return points


def board(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    return events.Reload()


def of_tensorboard(folder: Path) -> Points:
    points: dict[str, dict[int, float]] = {}
    events = board(folder)
    for name in events.Tags()["scalars"]:
        scalars = events.Scalars(name)
        points[name] = {scalar.step: scalar.value for scalar in scalars}
        assert len(points[name]) == len(scalars), f"{name} has two values at one place"
    return points


def check(logged: Points, folder: Path) -> None:
    """Check that a tracker holds each figure of the tables, each step, and nothing else."""
    tables = of_the_tables(folder)
    steps = logged["step/loss"]
    assert set(logged) == {*tables, "step/loss"}
    for name, wanted in tables.items():
        assert logged[name] == pytest.approx(wanted, rel=1e-6), name
    assert list(steps) == list(range(4 * STEPS))
    for epoch, mean in tables["epoch/step_loss"].items():
        own = [steps[epoch * STEPS + i] for i in range(STEPS)]
        assert sum(own) / STEPS == pytest.approx(mean, rel=1e-5)


def test_tensorboard_holds_the_tables_and_each_step_through_all_stages(tmp_path: Path) -> None:
    fit(tmp_path, stages(), material(), tracker="tensorboard")
    logged = of_tensorboard(tmp_path)
    check(logged, tmp_path)
    assert logged["epoch/stage"] == {0: 0, 1: 0, 2: 1, 3: 1}
    assert set(logged["validation/recall/a"]) == {0, 1, 2, 3}


def test_tensorboard_holds_the_recipe(tmp_path: Path) -> None:
    chosen = stages()
    with tracking("tensorboard", Run(tmp_path), chosen):
        pass
    events = board(tmp_path)
    (text,) = events.Tensors("recipe/text_summary")
    written = text.tensor_proto.string_val[0].decode()
    assert [line.strip() for line in written.splitlines()] == [
        line.strip() for line in chosen.to_yaml().splitlines()
    ]
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    values = HParamsPluginData.FromString(content).session_start_info.hparams
    assert values["stages.1.thaw"].number_value == 1
    assert values["optimizer"].string_value == "adamw"


def test_a_run_that_is_resumed_leaves_tensorboard_as_if_it_had_not_been_stopped(
    tmp_path: Path,
) -> None:
    fit(tmp_path / "whole", stages(), material(augments=True), tracker="tensorboard")
    stop_and_go_on(tmp_path / "parts", "tensorboard")
    whole, parts = (of_tensorboard(tmp_path / name) for name in ("whole", "parts"))
    check(parts, tmp_path / "parts")
    for name in set(whole) - set(TIMES):
        assert parts[name] == whole[name], name


@pytest.fixture
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """W&B without a network, which writes below a folder of the test's own and says nothing."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_CONSOLE", "off")
    for kind in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{kind}_DIR", str(tmp_path / "home"))


def records(file: Path) -> list[Record]:
    """Read one of W&B's own files."""
    store, found = DataStore(), []
    store.open_for_scan(str(file))  # type: ignore[no-untyped-call]
    while (data := store.scan_data()) is not None:  # type: ignore[no-untyped-call]
        found.append(Record.FromString(data))
    store.close()
    return found


def of_wandb(folder: Path) -> Points:
    wandb.teardown()  # its service writes on for a while after a run is finished
    points: dict[str, dict[int, float]] = {}
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for record in records(file):
            row = {
                "/".join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
                if not item.nested_key[0].startswith("_")
            }
            axis = "step" if "step" in row else "epoch"
            at = row.pop(axis, None)
            for name, value in row.items():
                points.setdefault(name, {})[at] = value
    return points


@pytest.mark.usefixtures("_offline")
def test_wandb_offline_holds_the_tables_the_steps_and_the_recipe(tmp_path: Path) -> None:
    chosen = stages()
    fit(tmp_path / "run", chosen, material(), tracker="wandb")
    check(of_wandb(tmp_path / "run"), tmp_path / "run")
    (file,) = tmp_path.glob("run/wandb/offline-run-*/*.wandb")
    found = records(file)
    run = next(record.run for record in found if record.HasField("run"))
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["stages"] == chosen.model_dump(mode="json")["stages"]
    axes = {record.metric.name: record.metric.step_metric for record in found}
    assert axes["step/loss"] == "step"
    assert axes["validation/recall/a"] == axes["epoch/learning_rate"] == "epoch"


@pytest.mark.usefixtures("_offline")
def test_a_run_that_is_resumed_is_the_same_run_to_wandb(tmp_path: Path) -> None:
    stop_and_go_on(tmp_path / "run", "wandb")
    check(of_wandb(tmp_path / "run"), tmp_path / "run")
    first, second = tmp_path.glob("run/wandb/offline-run-*/*.wandb")
    assert first.name == second.name


def test_wandb_that_cannot_be_reached_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise wandb.errors.UsageError("No API key configured")

    monkeypatch.setattr(wandb, "init", refuse)
    with (
        pytest.raises(TrainingError, match=r"No API key .*wandb login, or set WANDB_MODE=offline"),
        tracking("wandb", Run(tmp_path), stages()),
    ):
        pass


@pytest.mark.parametrize("found", [None, ModuleSpec("wandb", None)], ids=["absent", "a folder"])
def test_a_tracker_that_is_not_installed_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, found: ModuleSpec | None
) -> None:
    monkeypatch.setattr(start_module, "find_spec", lambda _: found)
    with pytest.raises(TrainingError, match=r"wandb is not installed: .*pip install wandb"):
        check_tracker("wandb")


def test_a_process_that_is_not_the_first_logs_nothing(tmp_path: Path) -> None:
    with tracking("tensorboard", Run(tmp_path), stages(), rank=1) as trackers:
        assert trackers == ()
    assert list(tmp_path.iterdir()) == []


def test_wandb_is_refused_where_it_would_fail_to_record_the_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["training", "train", "--data", "caf\udce9"])
    monkeypatch.setattr(start_module, "find_spec", lambda _: ModuleSpec("x", None, origin="x"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    with pytest.raises(TrainingError, match="a name in them is not UTF-8"):
        check_tracker("wandb")
    check_tracker("tensorboard")


@pytest.mark.parametrize(
    ("environment", "netrc", "is_in"),
    [
        ({}, "", False),
        ({}, "machine github.com login user password key", False),
        ({}, "machine api.wandb.ai login user password key", True),
        ({"WANDB_API_KEY": "key"}, "", True),
        ({"WANDB_MODE": "offline"}, "", True),
        ({"WANDB_BASE_URL": "https://wandb.example:8080"}, "", False),
        (
            {"WANDB_BASE_URL": "https://wandb.example:8080"},
            "machine wandb.example login user password key",
            True,
        ),
    ],
)
def test_wandb_without_a_login_is_refused_before_anything_is_read(
    environment: dict[str, str],
    netrc: str,
    is_in: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "netrc").write_text(netrc)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    if is_in:
        check_tracker("wandb")
    else:
        with pytest.raises(TrainingError, match="no login .*login, or set WANDB_MODE=offline"):
            check_tracker("wandb")
