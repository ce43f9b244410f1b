"""``export`` keeps what its options do not change, and shows what they did."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model_loader import Metadata
from tests.support.command_line import mistake, run
from training import finish as finish_module
from training.evaluation.threshold import Threshold
from training.recipe import Recipe
from training.run import Run
from training.run_data import read_data

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def copied(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with images beside it; int8 is always accepted, and a precision is its threshold.

    Its network, which is always the same, is not traced anew for each export.
    """
    exported = finished / "run" / "model"

    def export(run: Run, recipe: Recipe) -> Metadata:
        shutil.copytree(exported, run.model, dirs_exist_ok=True)
        metadata = Metadata.from_json((exported / "model.json").read_bytes())
        metadata = replace(metadata, recipe=recipe.model_dump(mode="json"))
        (run.model / "model.json").write_bytes(metadata.to_json())
        return metadata

    def choose(_: NDArray[np.float64], truth: NDArray[np.int64], precision: float) -> Threshold:
        return Threshold(precision, precision, 1.0, len(truth))

    monkeypatch.setattr(finish_module, "_export", export)
    monkeypatch.setattr(finish_module, "choose_threshold", choose)
    monkeypatch.setattr("training.export.int8.MOST_POINTS", 100)
    monkeypatch.setattr("training.export.int8._CALIBRATING", 2)
    for name in ("here", "there"):
        shutil.copytree(finished / "data", tmp_path / name)
    return Path(shutil.copytree(finished / "run", tmp_path / "run"))


def state(run_folder: Path) -> tuple[float, str, str]:
    """Return what the options decide: the threshold, model.onnx's dtype, the images' folder."""
    metadata = Metadata.from_json((run_folder / "model" / "model.json").read_bytes())
    root = read_data(Run(run_folder)).root
    return metadata.threshold, metadata.precision("model.onnx"), root.name


def test_each_option_keeps_what_every_other_one_has_set_before(
    copied: Path, tmp_path: Path
) -> None:
    precision, int8, place = 0.0, "float32", read_data(Run(copied)).root.name
    # Each kind of option comes directly before and directly behind each other one.
    for option, value in (
        ("--target-precision", "0.9"),
        ("--int8", None),
        ("--data", tmp_path / "here"),
        ("--target-precision", "0.8"),
        ("--data", tmp_path / "there"),
        ("--no-int8", None),
        ("--target-precision", "0"),
        ("--int8", None),
        (None, None),
    ):
        match option, value:
            case "--target-precision", str():
                precision = float(value)
            case "--data", Path():
                place = value.name
            case "--int8", _:
                int8 = "int8"
            case "--no-int8", _:
                int8 = "float32"
        assert run("export", copied, *filter(None, (option, value))) == 0
        assert state(copied) == (precision, int8, place), (option, value)


def test_a_version_of_before_options_were_noted_stays_int8(copied: Path) -> None:
    assert run("export", copied, "--int8") == 0
    path = copied / "model" / "model.json"
    document = json.loads(path.read_text())
    document["recipe"]["int8"] = False
    path.write_text(json.dumps(document))
    assert run("export", copied, "--target-precision", 0.9) == 0
    assert state(copied)[:2] == (0.9, "int8")


def test_every_export_shows_size_accuracy_and_threshold_before_and_now(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Metadata.from_json((copied / "model" / "model.json").read_bytes())
    assert run("export", copied, "--int8", "--target-precision", 0.9) == 0
    now = Metadata.from_json((copied / "model" / "model.json").read_bytes())
    printed = capsys.readouterr()
    cells = {
        row[0]: row[1:]
        for line in printed.out.splitlines()
        if len(row := [cell.strip() for cell in line.strip("│").split("│")]) == 3
    }
    for file in ("model.pt", "model.onnx"):
        assert cells[file] == [
            f"{version.files[file].size / 1e6:.1f} MB, {version.precision(file)}"
            for version in (before, now)
        ]
    assert cells["threshold"] == ["0", "0.9"]
    for cell, version in zip(cells["accuracy"], (before, now), strict=True):
        test = version.metrics["test"]
        assert cell == f"{test['accuracy']:.3f}, {test['n']} test images"


def test_the_last_line_is_the_command_that_publishes_the_run(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = copied.rename(tmp_path / "my run")
    assert run("export", named) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"Next: python -m training publish '{named}' store"


def test_without_the_images_int8_is_neither_made_nor_taken_back(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", copied, "--int8") == 0
    before = (copied / "model" / "model.json").read_bytes()
    monkeypatch.setattr(finish_module, "has_own_images", lambda *_: False)
    assert "int8 needs the images" in mistake(capsys, "export", copied)
    assert "--no-int8 needs the images" in mistake(capsys, "export", copied, "--no-int8")
    assert (copied / "model" / "model.json").read_bytes() == before


def test_without_the_images_a_threshold_stays_or_is_taken_back(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("export", copied, "--target-precision", 0.9) == 0
    monkeypatch.setattr(finish_module, "has_own_images", lambda *_: False)
    assert run("export", copied) == 0
    assert state(copied)[0] == 0.9
    assert run("export", copied, "--target-precision", 0) == 0
    assert state(copied)[0] == 0
