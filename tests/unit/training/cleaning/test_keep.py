"""What cleaning keeps is linked or copied whole or not at all; originals stay."""

from __future__ import annotations

import csv
import errno
import os
from pathlib import Path

import pytest

from tests.support.cleaning_material import contents, put, run, scene, split_of
from training.cleaning import cleaned_folder as keep_module
from training.cleaning.apply_rules import clean, list_files
from training.cleaning.cleaned_folder import keep
from training.cleaning.rules import Rules
from training.commands.clean import clean as clean_command
from training.data.split import read_split
from training.data.table import LabelledImage, read_folder
from training.errors import TrainingError


def test_a_file_that_disappears_during_the_run_is_reported(root: Path, tmp_path: Path) -> None:
    rows = [*list_files(root).rows, LabelledImage("birds/gone.png", "birds")]
    cleaning = clean(root, rows, Rules(), threads=1)
    assert [(f.file, f.rule) for f in cleaning.findings] == [("birds/gone.png", "unreadable")]
    (root / "birds" / "7.png").unlink()
    late = keep(cleaning, tmp_path / "out")[-1]
    assert (late.file, late.label, late.rule) == ("birds/7.png", "birds", "unreadable")
    assert len(read_folder(tmp_path / "out").rows) == 23


def test_what_is_kept_is_linked_and_the_rest_reported(root: Path, tmp_path: Path) -> None:
    put(root, "鳥 と 空/ä b.png", scene(60))
    put(root, "birds/copy.png", scene(3))
    put(root, "birds/bad.png", b"")
    before = contents(root)
    cleaning = run(root)
    keep(cleaning, tmp_path / "a b" / "out")
    out = tmp_path / "a b" / "out"
    assert contents(root) == before
    kept = contents(out)
    kept.pop("report.csv")
    assert kept == {
        file: digest
        for file, digest in before.items()
        if file not in ("birds/copy.png", "birds/bad.png")
    }
    assert (root / "birds/0.png").samefile(out / "birds/0.png")
    with (out / "report.csv").open(encoding="utf-8", newline="") as file:
        report = list(csv.DictReader(file))
    assert [(row["file"], row["label"], row["rule"], row["action"]) for row in report] == [
        ("birds/bad.png", "birds", "empty", "drop"),
        ("birds/copy.png", "birds", "exact-duplicate", "drop"),
    ]


def test_where_links_are_impossible_files_are_copied(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    keep(run(root), tmp_path / "out")
    assert len(read_folder(tmp_path / "out").rows) == 24


def test_a_split_is_carried_over(root: Path, tmp_path: Path) -> None:
    put(root, "birds/copy.png", scene(3))
    split = split_of(root, copy="test", **{str(i): "validation" for i in range(3, 6)}, **{
        str(i): "test" for i in range(6, 9)
    })  # fmt: skip
    keep(run(root, split), tmp_path / "out", split)
    carried = read_split(tmp_path / "out" / "split.csv", tmp_path / "out")
    assert len(carried.validation) == len(split.validation) - 1
    assert carried.test == split.test


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_an_interrupted_run_leaves_nothing_that_looks_finished(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    cleaning = run(root)
    before = contents(root)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(keep_module, "_write_report", fail)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else TrainingError
    with pytest.raises(expected):
        keep(cleaning, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert contents(root) == before


def test_until_it_is_complete_it_has_another_name(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    link = os.link

    def watch(source: str, target: str) -> None:
        seen.append((tmp_path / "out").exists())
        link(source, target)

    monkeypatch.setattr(os, "link", watch)
    keep(run(root), tmp_path / "out")
    assert len(seen) == 24
    assert not any(seen)


def test_a_target_that_holds_something_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(TrainingError, match="out exists already"):
        clean_command(root, tmp_path / "out")
    assert contents(tmp_path / "out").keys() == {"mine.txt"}


@pytest.mark.parametrize("target", ["data", "data/clean", "."])
def test_a_target_in_the_data_is_refused(root: Path, tmp_path: Path, target: str) -> None:
    with pytest.raises(TrainingError, match=r"exists already|lie one in the other"):
        keep(run(root), tmp_path / target)
    assert len(contents(root)) == 24


def test_a_class_that_would_be_empty_is_named_with_the_rules(root: Path, tmp_path: Path) -> None:
    put(root, "lonely/1.png", scene(50).resize((20, 20)))
    with pytest.raises(TrainingError, match="all images of the class 'lonely': too-small 1"):
        keep(run(root), tmp_path / "out")
    assert not (tmp_path / "out").exists()
