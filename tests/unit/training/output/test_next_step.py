"""The command that is suggested at the end can be pasted into a shell."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import pytest

from training.output.next_step import beside, say_next


def test_paths_are_quoted_for_a_shell(lines: io.StringIO) -> None:
    arguments = ("clean", Path("bird photos/it's"), "--set", "dark=0.3", "--to", "$HOME;x")
    say_next(*arguments)
    said = lines.getvalue()
    assert said.startswith("Next: python -m training clean ")
    assert shlex.split(said.removeprefix("Next: "))[3:] == [str(one) for one in arguments]


def test_a_new_folder_is_suggested_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    assert beside(tmp_path / "photos", "-clean") == tmp_path / "photos-clean"
    (tmp_path / "photos-clean").mkdir()
    assert beside(tmp_path / "photos", "-clean") == tmp_path / "photos-clean-2"
    (tmp_path / "photos-split.csv").touch()
    assert beside(tmp_path / "photos", "-split.csv") == tmp_path / "photos-split-2.csv"
    monkeypatch.chdir(tmp_path / "photos")
    assert beside(Path(), "-clean") == tmp_path / "photos-clean-2"
