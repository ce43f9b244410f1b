"""A data folder as people have them: thousands of files, a few bad; odd names; a lonely image."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from samples.draw import draw_image
from tests.support.command_line import mistake, run
from tests.support.images import encode, noise
from tests.unit.training.test_training_cli import SMALL
from training import finish as finish_module
from training.data import contents
from training.errors import InterruptedRunError
from training.run import Run

THOUSANDS = 10_000
CLASSES = ("a", "b")


@pytest.fixture
def _no_fitting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop where training would begin: every image was read and decoded, the report begun."""

    def stop(*_: object) -> None:
        raise InterruptedRunError("Here the training would begin.")

    monkeypatch.setattr("training.fitting.fit.Fitting.run", stop)
    monkeypatch.setattr(Run, "discard", lambda run: None)  # what was written is looked at


def thousands(folder: Path, corrupt: int) -> list[str]:
    """Make 10,000 image files, some of them cut short; return the names of those."""
    pictures = folder.parent / "pictures"
    pictures.mkdir()
    for number in range(50):
        (pictures / f"{number}").write_bytes(encode(noise(6, 6, number), "PNG"))
    cut = encode(noise(6, 6, 99), "PNG")[:90]
    bad: list[str] = []
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
    for number in range(THOUSANDS):
        file = f"{CLASSES[number % 2]}/{number:05}.png"
        if number % 7 == 3 and len(bad) < corrupt:
            (folder / file).write_bytes(cut)
            bad.append(file)
        else:
            os.link(pictures / f"{number % 50}", folder / file)
    return sorted(bad)


@pytest.mark.usefixtures("_no_fitting")
@pytest.mark.parametrize("corrupt", [1, 500])
def test_of_ten_thousand_images_the_corrupt_ones_are_named_skipped_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], corrupt: int
) -> None:
    bad = thousands(tmp_path / "data", corrupt)
    options = (*SMALL, "--set=sizing.size=32")
    assert run("train", "--data", tmp_path / "data", "--save", tmp_path / "run", *options) == 130
    said = capsys.readouterr().err
    named = [file for file in bad if f"Skipped {file}: The PNG image" in said]
    assert len(named) == min(corrupt, contents._LINES)
    report = json.loads((tmp_path / "run" / "data.json").read_text())
    assert sorted(entry["file"] for entry in report["skipped"]) == bad
    assert all(entry["reason"].startswith("The PNG image of 6 × 6") for entry in report["skipped"])
    assert report["train"] + report["validation"] + report["test"] == THOUSANDS


@pytest.mark.usefixtures("_no_fitting")
def test_more_than_five_percent_of_ten_thousand_are_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thousands(tmp_path / "data", THOUSANDS // 20 + 1)
    options = ("--save", tmp_path / "run", *SMALL, "--set=sizing.size=32")
    line = mistake(capsys, "train", "--data", tmp_path / "data", *options)
    assert "501 of 10000 images cannot be used, more than 5%; the first is" in line
    assert not (tmp_path / "run").exists()


def draw(folder: Path, count: int) -> None:
    """Draw images of a class."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"図 {number}.jpg").write_bytes(
            encode(draw_image("Flying Birds", seed=number), "JPEG")
        )


def test_a_class_of_one_image_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw(tmp_path / "data" / "many", 12)
    draw(tmp_path / "data" / "lonely", 1)
    save = tmp_path / "run"
    line = mistake(capsys, "train", "--data", tmp_path / "data", "--save", save, *SMALL)
    assert "The class 'lonely' has too few images" in line
    assert not save.exists()


def test_spaces_and_other_alphabets_are_names_like_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ["letící ptáci", "малые дроны", "無人 機"]
    for label in labels:
        draw(tmp_path / "мои фото" / label, 10)
    save = tmp_path / "běhy a pokusy" / "первый запуск"

    def ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(finish_module, "_export", ctrl_c)
        assert run("train", "--data", tmp_path / "мои фото", "--save", save, *SMALL) == 130
    assert f"Go on with: python -m training train --resume '{save}'" in capsys.readouterr().err
    assert (save.parent / ".pixels").is_dir()
    assert run("train", "--resume", save) == 0
    metadata = json.loads((save / "model" / "model.json").read_text())
    assert sorted(metadata["labels"]) == sorted(labels)
    assert "cache" not in metadata["data"]  # no path of this machine
    assert run("publish", save, tmp_path / "můj sklad") == 0
    picture = tmp_path / "мои фото" / labels[1] / "図 3.jpg"
    store = tmp_path / "můj sklad" / "flying-objects"
    capsys.readouterr()
    assert run("predict", picture, "--model", store, "--json") == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["label"] in labels
