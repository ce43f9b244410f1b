"""Class names: what cannot be shown to everyone is refused where it is read, by name."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.cleaning_material import put, scene
from tests.support.cleaning_material import run as cleaned
from tests.support.command_line import mistake, run
from training.cleaning.apply_rules import list_files
from training.cleaning.cleaned_folder import keep
from training.data.labels import label_of
from training.data.split import read_split
from training.data.table import read_folder
from training.errors import TrainingError
from training.output.terminal import visible

NOT_UTF8 = os.fsdecode(b"v\xf6gel")
REFUSED = {
    "not UTF-8": (NOT_UTF8, r"'v\\udcf6gel' is not UTF-8"),
    "a line break": ("a\nb", r"'a\\nb' holds characters that cannot be seen"),
    "an escape sequence": ("\x1b[31mred", r"'\\u001b\[31mred' holds characters"),
    "a control character of Latin-1": ("a\x9bb", r"'a\\u009bb' holds characters"),
    "a change of direction": ("\u202ecat", r"'\\u202ecat' holds characters"),
    "a space without width": ("cat\u200b", r"'cat\\u200b' holds characters"),
    "a space in front": (" cat", "' cat' is empty, or begins or ends with a space"),
    "a space behind": ("cat ", "'cat ' is empty, or begins or ends with a space"),
}
TAKEN = ("[bold]", "=1+1", "-x", "a,b", "鳥", "שלום", "🐦", "c" * 250, "A", "a", "x  y", "$x$", "_")


@pytest.mark.parametrize(("name", "expected"), REFUSED.values(), ids=REFUSED)
def test_a_folder_with_such_a_class_is_refused_by_every_command(
    name: str, expected: str, tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "birds").rename(root / name)
    for read in (read_folder, list_files):
        with pytest.raises(TrainingError, match=f"{expected}.*Rename it"):
            read(root)
    for words in (
        ("inspect", root),
        ("clean", root),
        ("split", root, "--to", tmp_path / "split.csv"),
        ("train", "--data", root, "--save", tmp_path / "run"),
    ):
        assert "Rename it" in mistake(capsys, *words)
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "split.csv").exists()


@pytest.mark.parametrize(("name", "expected"), REFUSED.values(), ids=REFUSED)
def test_a_split_with_such_a_class_is_refused(name: str, expected: str, tmp_path: Path) -> None:
    lines = [f'{part}.png,"{name}",,{part}' for part in ("train", "validation", "test")]
    text = "\n".join(["file,label,group,part", *lines])
    (tmp_path / "split.csv").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(TrainingError, match=rf"split.csv, line \d: the class name {expected}"):
        read_split(tmp_path / "split.csv")


@pytest.mark.parametrize("name", TAKEN)
def test_other_names_are_class_names_as_they_are(name: str) -> None:
    assert label_of(name, "here") == name


def test_a_name_of_macos_is_the_same_class_as_on_any_other_system(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apart = unicodedata.normalize("NFD", "Möwe")
    (root / "birds").rename(root / apart)
    table = read_folder(root)
    assert table.labels == ("Möwe", "drones")
    assert all((root / row.file).is_file() for row in table.rows)
    keep(cleaned(root), tmp_path / "kept")
    assert len(list((tmp_path / "kept" / apart).iterdir())) == 12
    assert run("split", root, "--to", tmp_path / "split.csv") == 0
    labels = {row.label for row in read_split(tmp_path / "split.csv", root).train}
    assert labels == {"Möwe", "drones"}


def test_two_classes_that_look_the_same_are_refused(root: Path) -> None:
    for form in ("NFC", "NFD"):
        put(root, f"{unicodedata.normalize(form, 'Möwe')}/1.png", scene(1))
    for read in (read_folder, list_files):
        with pytest.raises(TrainingError, match="two classes look the same, 'Möwe'"):
            read(root)


@pytest.mark.parametrize(("name", "expected"), list(REFUSED.values())[4:6])
def test_a_word_of_tiny_imagenet_is_held_to_the_same(
    name: str, expected: str, tmp_path: Path
) -> None:
    from training.data.tiny_imagenet import read_names

    (tmp_path / "wnids.txt").write_text("n1\nn2\n")
    (tmp_path / "words.txt").write_text(f"n1\t{name}\nn2\tdog\n", encoding="utf-8")
    with pytest.raises(TrainingError, match=f"words.txt, n1: the class name {expected}"):
        read_names(tmp_path)


@pytest.mark.fuzz
@given(st.text(st.characters(exclude_categories=())))
def test_what_is_taken_for_a_class_name_can_be_printed_and_stays_the_same(name: str) -> None:
    try:
        label = label_of(name, "here")
    except TrainingError:
        assume(False)
    assert visible(label) == label == label_of(label, "here")
    assert label == label.strip()
