"""Files and folders are there whole or not at all, whatever ends the process that writes them."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.failing_writes import WORDS, failing
from training.files.atomic import (
    HiddenFolder,
    hidden_folder,
    remove_stale,
    replace_folder,
    replacing,
)
from training.files.csv_files import new_csv

PREFIX = ".export-"

HOLDER = f"""
import sys
from pathlib import Path
from training.files.atomic import HiddenFolder
folder = HiddenFolder(Path(sys.argv[1]), {PREFIX!r})
(folder.path / "model.pt").write_text("half")
print(folder.path, flush=True)
sys.stdin.read()
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def holder(tmp_path: Path) -> Callable[[], tuple[subprocess.Popen[str], Path]]:
    """Start another process that writes into a hidden folder until it is ended."""

    def start() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    return start


# A file.


@pytest.mark.parametrize("before", [None, "old"])
def test_a_file_takes_its_place_when_it_is_complete(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "a.csv"
    if before is not None:
        path.write_text(before)
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.exists() == (before is not None)
        assert before is None or path.read_text() == before
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, ""), ValueError(), KeyboardInterrupt(), SystemExit()]
)
def test_a_file_that_is_not_completed_leaves_what_was_there_and_nothing_beside_it(
    tmp_path: Path, before: str | None, error: BaseException
) -> None:
    path = tmp_path / "a.csv"
    if before is not None:
        path.write_text(before)

    def write() -> None:
        with replacing(path) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert [each.read_text() for each in tmp_path.iterdir()] == ([] if before is None else [before])


def test_what_a_killed_process_left_of_a_file_is_not_part_of_the_next_one(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.csv") as partial:
        left = partial.name
        partial.write_text("")
    (tmp_path / left).write_text("left by a killed process")
    with replacing(tmp_path / "a.csv") as partial, partial.open("a") as file:
        file.write("new")
    assert (tmp_path / "a.csv").read_text() == "new"
    assert names(tmp_path) == ["a.csv"]


def test_what_is_no_file_is_written_to_directly(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from training.files.csv_files import new_csv\n"
        "with new_csv(Path('/dev/stdout'), ['a', 'b']) as add: add([1, 2])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.split() == ["a,b", "1,2"]
    with new_csv(Path(os.devnull), ["a"]) as add:
        add([1])
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("number", WORDS)
def test_a_write_that_fails_is_the_systems_own_error(tmp_path: Path, number: int) -> None:
    with (
        failing("a.csv", number),
        pytest.raises(OSError, match=WORDS[number]),
        new_csv(tmp_path / "a.csv", ["a"]),
    ):
        pass
    assert names(tmp_path) == []


# A folder.


def test_a_hidden_folder_is_removed_unless_it_is_moved_away(tmp_path: Path) -> None:
    with hidden_folder(tmp_path, PREFIX) as folder:
        (folder / "model").mkdir()
        (folder / "model").rename(tmp_path / "model")
        (folder / "rest").write_text("")
    assert names(tmp_path) == ["model"]
    with pytest.raises(FileExistsError), hidden_folder(tmp_path, PREFIX) as folder:
        folder.mkdir()
    assert names(tmp_path) == ["model"]


def test_a_living_processs_hidden_folder_stays_and_a_killed_ones_goes(
    tmp_path: Path, holder: Callable[[], tuple[subprocess.Popen[str], Path]]
) -> None:
    alive, living = holder()
    killed, dead = holder()
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert dead.is_dir()
    with hidden_folder(tmp_path, PREFIX) as folder:
        assert set(names(tmp_path)) == {living.name, folder.name}
        assert (living / "model.pt").read_text() == "half"
    alive.communicate("")
    remove_stale(tmp_path, PREFIX)
    assert names(tmp_path) == []


def test_other_files_and_folders_are_never_taken_for_leftovers(tmp_path: Path) -> None:
    for name in ("model", ".export", "export-1", ".unfinished-1"):
        (tmp_path / name).mkdir()
    before = names(tmp_path)
    remove_stale(tmp_path, PREFIX)
    with hidden_folder(tmp_path, PREFIX):
        pass
    assert names(tmp_path) == before


@pytest.mark.parametrize(("age", "stays"), [(3600, True), (25 * 3600, False)])
def test_without_locks_only_a_day_old_folder_is_a_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, stays: bool
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    left = HiddenFolder(tmp_path, PREFIX)
    then = left.path.stat().st_mtime - age
    os.utime(left.path, (then, then))
    remove_stale(tmp_path, PREFIX)
    assert left.path.exists() == stays
    left.remove()
    assert names(tmp_path) == []


@pytest.mark.parametrize("before", [None, "old"])
def test_a_complete_folder_takes_the_place_of_another(tmp_path: Path, before: str | None) -> None:
    target = tmp_path / "model"
    if before:
        target.mkdir()
        (target / before).write_text("")
    with hidden_folder(tmp_path, PREFIX) as folder:
        (folder / "staged").mkdir()
        (folder / "staged" / "new").write_text("")
        replace_folder(folder / "staged", target)
    assert names(tmp_path) == ["model"]
    assert names(target) == ["new"]


def test_a_folder_that_cannot_take_its_place_leaves_the_other_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, staged = tmp_path / "model", tmp_path / "staged"
    target.mkdir()
    (target / "old").write_text("")
    staged.mkdir()
    really = Path.rename

    def rename(path: Path, to: Path) -> Path:
        if path == staged:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(path, to)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="No space left"):
        replace_folder(staged, target)
    assert names(target) == ["old"]
