"""Every command takes the same files; whatever else lies in a folder is passed over and counted."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_loader.image.formats import FORMATS
from tests.support.command_line import mistake, run
from tests.support.images import encode, noise
from tests.unit.training.test_training_cli import SMALL
from training.cleaning.inspection import inspect_table
from training.data.suffixes import SUFFIXES
from training.data.table import list_folder, read_folder
from training.data.walk import LeftOut, walk_files
from training.errors import InterruptedRunError
from training.predict.sources import read_sources
from training.run import Run
from training.video.sampling import Sampling

IMAGES = 12
LOOPS = (
    "1 image outside the class folders (loose.jpg); "
    "1 image without an image's suffix (a/photo); "
    "2 files that are not named as images (a/notes.txt, …); "
    "2 hidden files or folders (.git, …); "
    "2 empty folders (a/folder.jpg, …); "
    "3 links that lead nowhere (a/gone.jpg, …); "
    "3 links to folders that are read already (round, …); "
    "2 pipes, sockets or devices (a/pipe.jpg, …)"
)


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[Path]:
    """A folder with all that is no image of a class, and can end or stop a careless reader."""
    root = tmp_path / "data"
    for label in ("a", "b"):
        (root / label).mkdir(parents=True)
        for number in range(IMAGES):
            picture = noise(40, 40, hash_of(label, number))
            (root / label / f"{number}.png").write_bytes(encode(picture, "PNG"))
    (root / "loose.jpg").write_bytes(b"")
    (root / "README.md").write_text("no image of the data")
    (root / ".git").mkdir()
    (root / "round").symlink_to(root)
    inside = root / "a"
    (inside / "photo").write_bytes(encode(noise(40, 40), "JPEG"))
    (inside / "notes.txt").write_text("")
    (inside / "z.xml").write_text("<x/>")
    (inside / "._0.png").write_bytes(b"")
    (inside / "folder.jpg").mkdir()
    (inside / "nothing").mkdir()
    (inside / "gone.jpg").symlink_to("nowhere.jpg")
    (inside / "self.jpg").symlink_to("self.jpg")
    (inside / "self").symlink_to("self")
    (inside / "one").symlink_to("one/../../a")
    (inside / "up").symlink_to("..")
    (inside / "here").symlink_to(".")
    os.mkfifo(inside / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(inside)  # a socket's whole path may be too long for it
        listener.bind("socket.png")
        os.chdir(here)
        yield root


def hash_of(label: str, number: int) -> int:
    return number * 2 + (label == "b")


def test_what_is_passed_over_is_counted_in_one_line(odd: Path) -> None:
    (odd / "a" / "one").unlink()
    table = read_folder(odd)
    assert table.counts() == {"a": IMAGES, "b": IMAGES}
    assert str(table.left_out).startswith(f"Left out: {LOOPS}.")
    assert "clean FOLDER --set fix_extensions=true" in str(table.left_out)
    assert sum(table.left_out.to_json().values()) == 16


def test_every_file_is_listed_for_cleaning_but_none_that_is_no_file(odd: Path) -> None:
    files = {row.file for row in list_folder(odd).rows}
    assert files - {row.file for row in read_folder(odd).rows} == {
        "a/photo",
        "a/notes.txt",
        "a/z.xml",
    }


def test_every_command_passes_over_what_is_no_image(
    odd: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: object) -> None:
        raise InterruptedRunError("Here the training would begin.")

    monkeypatch.setattr("training.fitting.fit.Fitting.run", stop)
    monkeypatch.setattr(Run, "discard", lambda run: None)  # what was written is looked at
    left_out = "2 pipes, sockets or devices (a/pipe.jpg, …)"
    assert run("inspect", odd, "--output", tmp_path / "seen") == 0
    assert left_out in capsys.readouterr().out
    seen = json.loads((tmp_path / "seen" / "inspect.json").read_text())
    assert seen["left_out"]["pipes, sockets or devices"] == 2
    commands: list[tuple[Any, ...]] = [
        ("clean", odd, "--skip", "blurry", "--to", tmp_path / "kept"),
        ("split", odd, "--to", tmp_path / "split.csv"),
        ("train", "--data", odd, "--save", tmp_path / "run", *SMALL, "--set=sizing.size=32"),
    ]
    for command in commands:
        assert run(*command) == (130 if command[0] == "train" else 0), command
        assert left_out in capsys.readouterr().err, command


def test_predict_reads_no_pipe_and_says_so(odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = read_sources([str(odd)], Sampling())
    assert folder.count() == 2 * IMAGES + 1
    assert "pipes, sockets or devices (a/pipe.jpg, …)" in capsys.readouterr().err
    sources = read_sources([str(odd / "a" / "*.*")], Sampling())
    names = {question.name: question for source in sources for question in source.questions()}
    for name in ("pipe.jpg", "socket.png"):
        assert "a pipe, socket or device" in getattr(names[str(odd / "a" / name)], "reason", "")


def test_folders_that_link_to_one_another_are_read_once(tmp_path: Path) -> None:
    """There are millions of paths through twelve of them."""
    for name in "abcdefghijkl":
        (tmp_path / "data" / "x" / name).mkdir(parents=True)
        (tmp_path / "data" / "x" / name / "1.jpg").write_bytes(b"")
        for other in "abcdefghijkl":
            (tmp_path / "data" / "x" / name / f"to {other}").symlink_to(f"../{other}")
    assert len([*walk_files(tmp_path / "data" / "x")]) == 12


def test_a_thousand_folders_in_one_another_are_read(tmp_path: Path) -> None:
    here = Path.cwd()
    os.chdir(tmp_path)
    for _ in range(1200):
        Path("d").mkdir()
        os.chdir("d")
    Path("1.jpg").write_bytes(b"")
    os.chdir(tmp_path)
    found = [*walk_files(tmp_path / "d")]
    for _ in range(1200):  # pytest itself could not remove them
        Path("d").rename("upper")
        os.chdir("upper")
    for _ in range(1200):
        os.chdir("..")
        shutil.rmtree("upper")
    os.chdir(here)
    assert [name.count("/") for name in found] == [1199]


@pytest.mark.parametrize("where", ["a", "a/inner", "."])
def test_a_folder_that_may_not_be_read_is_no_stack_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    for file in ("a/1.jpg", "a/inner/2.jpg", "b/1.jpg"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if os.path.realpath(path) == os.path.realpath(tmp_path / where):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    if where == "a/inner":
        assert "1 folder that cannot be read (a/inner)" in str(read_folder(tmp_path).left_out)
        return
    with pytest.raises(Exception, match=r"cannot be read: Perm|a has no images") as raised:
        read_folder(tmp_path)
    assert type(raised.value).__name__ == "TrainingError"


def test_a_file_that_may_not_be_read_is_a_problem_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("a/1.jpg", "b/1.jpg"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_bytes(encode(noise(9, 9), "JPEG"))
    table = read_folder(tmp_path)
    opened = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self == tmp_path / "a" / "1.jpg":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    (problem,) = inspect_table(table).problems
    assert problem.problem == "cannot be read (Permission denied)"


def test_each_format_has_suffixes_and_each_suffix_one_format() -> None:
    assert all(known.suffixes for known in FORMATS.values())
    assert len(SUFFIXES) == len(set(SUFFIXES))


@pytest.mark.parametrize(
    ("suffix", "format"), [(s, f) for f, known in FORMATS.items() for s in known.suffixes]
)
def test_every_command_takes_every_suffix(
    tmp_path: Path, suffix: str, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    for number, label in enumerate("ab"):
        (root / label).mkdir(parents=True)
        for name in (f"1{suffix}", f"2{suffix.upper()}", f"3{suffix}", f"4.b{suffix}"):
            picture = noise(64, 64, number * 10 + int(name[0]))
            (root / label / name).write_bytes(encode(picture, format))
    table = read_folder(root)
    assert table.counts() == {"a": 4, "b": 4}
    assert [header.format for header in inspect_table(table).headers] == [format] * 8
    assert run("clean", root, "--to", tmp_path / "kept", "--skip", "blurry") == 0
    assert read_folder(tmp_path / "kept").counts() == {"a": 4, "b": 4}
    options = ("--to", tmp_path / "split.csv", "--validation", 0.25, "--test", 0.25)
    assert run("split", root, *options) == 0
    assert "Left out" not in capsys.readouterr().err
    (folder,) = read_sources([str(root)], Sampling())
    assert folder.count() == 8


def test_a_left_out_line_is_empty_where_nothing_is_left_out() -> None:
    assert str(LeftOut()) == ""


def test_a_folder_of_nothing_but_links_to_itself_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).symlink_to(tmp_path / name)
    assert "has no images in class folders" in mistake(capsys, "inspect", tmp_path)
