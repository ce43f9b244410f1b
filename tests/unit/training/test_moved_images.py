"""Images that moved, changed or vanished since a run began."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.main import get_command

from tests.support.command_line import QUICK_RUN, mistake, run
from tests.support.failing_writes import at_write
from training.cli import app
from training.data.parts import Part
from training.data.split import Split, read_split
from training.evaluation.runs import finish_run
from training.run import Run, read_data

FOR_RESUMING = ("resume", "data", "accelerator", "precision", "tracker", "cache", "draw_report")


@pytest.fixture
def moved(finished: Path, tmp_path: Path) -> Path:
    """A copy, of which the images moved from ``data`` to ``new``, and the run is not measured."""
    shutil.copytree(finished / "data", tmp_path / "new")
    shutil.copytree(finished / "run", tmp_path / "run")
    (tmp_path / "run" / "evaluation.json").unlink()
    described = json.loads((tmp_path / "run" / "data.json").read_text())
    described["root"] = str(tmp_path / "data")
    (tmp_path / "run" / "data.json").write_text(json.dumps(described))
    return tmp_path


def split_of(folder: Path) -> Split:
    return read_split(Run(folder / "run").split)


def remove(root: Path, files: Iterable[str]) -> None:
    for file in files:
        (root / file).unlink(missing_ok=True)


def test_a_run_whose_images_moved_says_so_and_goes_on_where_they_are_now(
    moved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resume = ("train", "--resume", moved / "run", "--no-report")
    line = mistake(capsys, *resume)
    assert f"32 of the 32 images of {moved / 'run'} are not in {moved / 'data'}" in line
    assert line.endswith("give the new place: --data DIR.")
    assert run(*resume, "--data", moved / "new") == 0
    assert read_data(Run(moved / "run")).root == moved / "new"
    assert run("evaluate", moved / "run") == 0
    assert run("export", moved / "run") == 0
    assert "are gone" not in capsys.readouterr().err


def test_an_export_takes_the_new_place_and_notes_it(
    moved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", moved / "run", "--data", moved / "new") == 0
    assert read_data(Run(moved / "run")).root == moved / "new"
    assert (moved / "run" / "evaluation.json").is_file()


@pytest.mark.parametrize("verb", ["train", "export"])
def test_a_folder_that_does_not_hold_the_images_is_refused_and_not_noted(
    moved: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    given = ("train", "--resume") if verb == "train" else ("export",)
    before = (moved / "run" / "data.json").read_bytes()
    changed = moved / "new" / split_of(moved).train[0].file

    def refused(root: Path) -> str:
        line = mistake(capsys, *given, moved / "run", "--data", root)
        assert str(root) in line
        assert (moved / "run" / "data.json").read_bytes() == before
        return line

    for wrong in (moved, moved / "none", changed):
        assert "not in" in refused(wrong)
    changed.write_bytes(changed.read_bytes() + b"changed")
    assert "the folder that holds them" in refused(moved / "new")
    changed.unlink()
    line = refused(moved / "new")
    if verb == "train":
        assert f"1 of the 32 images of {moved / 'run'} are not in" in line


@pytest.mark.parametrize("verb", ["evaluate", "report"])
def test_measuring_and_drawing_say_how_to_give_the_new_place(
    moved: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    (moved / "run" / "evaluation.json").write_text("{}")
    assert "--data" in mistake(capsys, verb, moved / "run")


def test_an_export_without_its_images_says_how_to_give_the_new_place(
    moved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", moved / "run") == 0
    assert "give the new place: --data DIR" in capsys.readouterr().err


_OPTIONS = {
    parameter.name: parameter
    for parameter in get_command(app).commands["train"].params  # type: ignore[attr-defined]
    if parameter.name not in (*FOR_RESUMING, "help")
}
VALUES = {"seed": "3", "overrides": "seed=3"}


def test_every_option_of_a_new_run_is_in_the_table() -> None:
    assert {"recipe", "weights", "groups", "split", "save", "overrides", "seed"} <= set(_OPTIONS)


@pytest.mark.parametrize("name", _OPTIONS)
def test_each_option_that_a_resumed_run_would_ignore_is_refused_by_name(
    finished: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    option = _OPTIONS[name].opts[0]
    line = mistake(
        capsys, "train", "--resume", finished / "run", option, VALUES.get(name, "flying-objects")
    )
    assert f"{option} is for a new run: leave it out with --resume." in line


# Images that vanish while a run trains.


def test_a_version_is_exported_though_test_images_vanished_and_measured_when_they_are_back(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, folder = tmp_path / "data", tmp_path / "run"
    shutil.copytree(finished / "data", root)

    def vanish() -> None:
        remove(root, (row.file for row in read_split(Run(folder).split).test))

    with at_write("history.csv", vanish):
        options = ("--data", root, "--save", folder, *QUICK_RUN)
        assert run("train", *options) == 0
    images = len(read_split(Run(folder).split).test)
    error = " ".join(capsys.readouterr().err.split())
    assert f"{images} of the {images} test images cannot be used any more: none is left" in error
    assert f"Put them back and export again: python -m training export {folder}" in error
    assert (folder / "model" / "model.onnx").is_file()
    assert not (folder / "evaluation.json").exists()
    shutil.copytree(finished / "data", root, dirs_exist_ok=True)
    assert run("export", folder) == 0
    assert json.loads((folder / "evaluation.json").read_text())["n"] == images


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("left", [0, 1])
def test_a_version_is_measured_on_the_images_that_are_left(
    moved: Path, capsys: pytest.CaptureFixture[str], part: Part, left: int
) -> None:
    files = [row.file for row in split_of(moved).part(part)]
    shutil.move(moved / "new", moved / "data")
    remove(moved / "data", files[left:])
    finished = finish_run(Run(moved / "run"), precision=0.5)
    error = " ".join(capsys.readouterr().err.split())
    gone = f"{len(files) - left} of the {len(files)} {part} images cannot be used any more: "
    assert (
        gone
        + (
            f"the {'figures are' if part == 'test' else 'temperature is'} of the other 1"
            if left
            else "none is left"
        )
        in error
    )
    assert finished.metadata.temperature > 0
    assert (finished.evaluation is None) == (part == "test" and not left)
    if part == "test":
        assert finished.metadata.metrics.get("test", {}).get("n", 0) == left
