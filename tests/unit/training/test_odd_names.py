"""Whatever files, classes and folders are called, every command works and every file is whole."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model_loader import Metadata
from tests.support.command_line import run
from tests.support.odd_names import CLASSES, DAMAGED, FILES, NOT_UTF8, put_odd_images
from tests.support.versions import build_version
from training.data.split import PARTS, read_split
from training.evaluation.answers import read_answers
from training.recipe import load_recipe
from training.report.history import read_history
from training.run import Run
from training.run_data import read_data

ENCODINGS = ("utf-8", "ascii", "latin-1")
ROOT = Path(__file__).resolve().parents[3]
COMMANDS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What no output may hold: line breaks are the only commands that are meant."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of odd names, in a folder of one."""
    folder = tmp_path_factory.mktemp("odd") / os.fsdecode(b"data [raw][/y] \xe9\x1b[31m")
    put_odd_images(folder)
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on them, with its report."""
    folder = tmp_path_factory.mktemp("run") / "run [raw][/y]"
    options = ("--recipe=flying-objects-head", "--weights=flying-objects", "--cache=none")
    settings = ("--set=sizing.size=48", "--set=stages.0.epochs=1")
    assert run("train", "--data", data, *options, *settings, "--save", folder) == 0
    return folder


Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command whose output takes an encoding strictly; return its status and what it said."""

    def say(encoding: str, *words: object) -> tuple[int, str, str]:
        paths = tmp_path / "stdout", tmp_path / "stderr"
        with (
            paths[0].open("w", encoding=encoding, newline="") as out,
            paths[1].open("w", encoding=encoding, newline="") as err,
            monkeypatch.context() as patched,
        ):
            patched.setattr(sys, "stdout", out)
            patched.setattr(sys, "stderr", err)
            status = run(*words)
        out_text, err_text = (path.read_bytes().decode(encoding) for path in paths)
        assert COMMANDS.search(out_text + err_text) is None
        assert "Traceback" not in err_text
        return status, out_text, err_text

    return say


def commands(data: Path, trained: Path, to: Path) -> dict[str, tuple[object, ...]]:
    """Return a command line of each kind, by name."""
    model = trained / "model"
    return {
        "help": ("--help",),
        "inspect": ("inspect", data),
        "inspect to files": ("inspect", data, "--output", to / NOT_UTF8),
        "clean": ("clean", data, "--skip=blurry"),
        "clean to a folder": ("clean", data, "--skip=blurry", "--to", to / "[/y]"),
        "split": ("split", data, "--to", to / NOT_UTF8),
        "evaluate": ("evaluate", trained),
        "evaluate as JSON": ("evaluate", trained, "--json"),
        "evaluate a folder": ("evaluate", model, "--data", data),
        "predict": ("predict", data, "--model", model, "--top-k=2"),
        "predict as JSON": ("predict", data, "--model", model, "--json"),
        "predict to CSV": ("predict", data, "--model", model, "--csv", to / "[x].csv"),
        "preview": ("preview", "--data", data, "--to", to / "[y].png", "--set=sizing.size=48"),
        "models as JSON": ("models", "--json"),
        "layers": ("models", "--layers=alexnet"),
        "publish": ("publish", trained, to / "store [z]"),
        "sample data": ("sample-data", to / NOT_UTF8, "--per-class=1"),
    }


NAMES = tuple(commands(Path(), Path(), Path()))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", NAMES)
def test_no_output_fails_for_its_encoding_or_commands_a_terminal(
    name: str, encoding: str, said: Say, data: Path, trained: Path, tmp_path: Path
) -> None:
    status, out, _ = said(encoding, *commands(data, trained, tmp_path / "to")[name])
    # An image that cannot be answered is listed, and the exit code says so.
    assert status == (1 if name.startswith("predict") else 0)
    if "JSON" in name:
        json.loads(out)
    if name in ("inspect", "split", "evaluate"):
        assert "[bold]x[y]" in out
        assert "data [raw]" in out or name != "inspect"
        assert ("Möwe" if encoding == "utf-8" else r"\u05e9") in out


MISTAKES: dict[str, tuple[object, ...]] = {
    "a data folder": ("inspect", f"[/y] {NOT_UTF8}"),
    "a recipe": ("train", "--data=DATA", f"--recipe=[/y]\x1b[1m {NOT_UTF8}"),
    "a model": ("models", f"--layers=[/y]\x1b[1m {NOT_UTF8}"),
    "a model's path": ("predict", __file__, f"--model={NOT_UTF8}"),
    "an image": ("predict", f"[/y]\x1b[1m {NOT_UTF8}", "--model=x"),
    "a run": ("report", f"[/y] {NOT_UTF8}"),
    "a run to make": ("train", "--data=.", "--weights=none", f"--save={NOT_UTF8}/run"),
    "a command": (f"[/y] {NOT_UTF8}",),
    "an option": ("inspect", f"--{NOT_UTF8}"),
    "a video": ("webcam", f"\x1b[1m {NOT_UTF8}", "--model=x"),
    "a store": ("versions", f"[/y] {NOT_UTF8}/model"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_names_what_was_given_without_failing_itself(
    what: str, encoding: str, said: Say, data: Path
) -> None:
    words = (str(word).replace("DATA", str(data)) for word in MISTAKES[what])
    status, _, err = said(encoding, *words)
    assert status == 2
    assert "caf" in err


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii", "latin-1"])
def test_a_process_of_its_own_prints_in_the_encoding_it_was_given(
    encoding: str, data: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "training", "inspect", data],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert rb"damaged\udcff.png" in done.stdout
    assert b"\x1b" not in done.stdout


# Files


def test_a_published_model_tells_no_name_and_no_path_of_its_data(trained: Path, data: Path) -> None:
    document = json.loads((trained / "model" / "model.json").read_bytes())
    assert document["data"]["skipped"] == 1
    assert set(document["labels"]) == set(CLASSES)
    texts = list(strings(document))
    names = {*FILES, Path(DAMAGED).name, str(data), str(trained), "data [raw]", "run [raw]"}
    for name in names:
        assert not [text for text in texts if name in text], name


def strings(value: Any) -> Iterator[str]:
    """Yield every key and every text of a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, of in value.items():
            yield key
            yield from strings(of)
    elif isinstance(value, list):
        for of in value:
            yield from strings(of)


def test_a_model_that_tells_names_of_skipped_images_still_loads(tmp_path: Path) -> None:
    """Versions were published before that changed."""
    build_version(tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    document = json.loads(path.read_bytes())
    document["data"] = {"skipped": [{"file": "a/1.png", "reason": "It is damaged."}]}
    path.write_text(json.dumps(document))
    assert Metadata.from_json(path.read_bytes()).data == document["data"]
    assert run("predict", path, "--model", path.parent, "--json") == 1


def test_the_runs_own_files_name_every_image_as_it_is_called(trained: Path, data: Path) -> None:
    there = {f"{label}/{file}" for label in CLASSES for file in FILES} | {DAMAGED}
    found = Run(trained)
    split = read_split(found.split, data)
    assert {row.file for name in PARTS for row in split.part(name)} == there
    assert [image.file for image in read_data(found).skipped] == [DAMAGED]
    for part in ("validation", "test"):
        answers = read_answers(found.answers(part))
        assert {row.file for row in answers.rows} <= there
        assert set(answers.labels) == set(CLASSES)
    sizes = load_recipe(str(found.recipe)).sizes
    assert len(read_history(found, read_data(found).labels, sizes).classes) == 6


def test_the_folder_is_inspected_into_json_that_names_every_file(
    data: Path, tmp_path: Path
) -> None:
    assert run("inspect", data, "--output", tmp_path) == 0
    found = json.loads((tmp_path / "inspect.json").read_text(encoding="utf-8"))
    assert list(found["problems"]) == [DAMAGED]
    assert found["folder"] == str(data)


def test_a_run_with_a_damaged_image_of_such_a_name_is_exported_again(trained: Path) -> None:
    assert run("export", trained) == 0


def test_files_for_people_are_utf8_without_commands(trained: Path) -> None:
    page = (trained / "report.html").read_text(encoding="utf-8")
    assert COMMANDS.search(page) is None
    assert r"damaged\udcff.png" in page
    assert "[bold]x[y]" in page
    for name in ("data.json", "evaluation.json"):
        json.loads((trained / name).read_text(encoding="utf-8"))
    plots = list((trained / "plots").glob("*.png"))
    assert plots
    for path in plots:
        Image.open(path).verify()


def test_no_cell_of_any_csv_is_a_formula(trained: Path, data: Path, tmp_path: Path) -> None:
    for words in (
        ("clean", data, "--skip=blurry", "--to", tmp_path / "cleaned"),
        ("split", data, "--to", tmp_path / "split.csv"),
    ):
        assert run(*words) == 0
    assert run("predict", data, "--model", trained, "--csv", tmp_path / "out.csv") == 1
    files = [*trained.rglob("*.csv"), *tmp_path.rglob("*.csv")]
    assert len(files) >= 8
    for path in files:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        for cell in cells:
            assert not cell.startswith(("=", "+", "@", "\t", "\r")), (path, cell)
            assert not cell.startswith("-") or float(cell) < 0, (path, cell)
