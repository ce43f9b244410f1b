"""Tiny ImageNet's layout becomes class folders, losing nothing, and wnids become names."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from tests.support.images import encode, noise
from training.commands.clean import clean
from training.commands.split import split as split_command
from training.commands.tiny_imagenet import tiny_imagenet
from training.data.source import DataSource, SplitData, read_source
from training.data.split import PARTS, read_split
from training.data.tiny_imagenet import (
    is_tiny_imagenet,
    read_annotations,
    read_names,
    sort_validation,
)
from training.errors import TrainingError

WORDS = {
    "n01443537": "goldfish, Carassius auratus",
    "n02012849": "crane",
    "n03126707": "crane",
    "n02113186": "Cardigan, Cardigan Welsh corgi",
    "n02963159": "cardigan",
}
"""Two cranes, and two cardigans that differ by more words: both are so in ImageNet's own list."""

HELD = 6
"""Validation images of each class."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small folder of the original layout; a file's text is its name."""
    root = tmp_path / "tiny imagenet-200"
    for wnid in WORDS:
        folder = root / "train" / wnid / "images"
        folder.mkdir(parents=True)
        for i in range(4):
            (folder / f"{wnid}_{i}.JPEG").write_text(f"{wnid}_{i}")
        (folder.parent / f"{wnid}_boxes.txt").write_text("0 0 1 1")
    images = root / "val" / "images"
    images.mkdir(parents=True)
    lines = []
    for i, wnid in enumerate(list(WORDS) * HELD):
        (images / f"val_{i}.JPEG").write_text(f"val_{i}")
        lines.append(f"val_{i}.JPEG\t{wnid}\t0\t32\t44\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    (root / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in reversed(WORDS)))
    words = {"n00001740": "entity", **WORDS}
    (root / "words.txt").write_text("".join(f"{wnid}\t{text}\n" for wnid, text in words.items()))
    return root


def read_split_folder(root: Path, seed: int = 0) -> SplitData:
    return read_source(DataSource(root), 0.15, 0.15, seed)


def validation(root: Path) -> dict[str, str]:
    """Return each validation image's place, by what is in it."""
    images = root / "val" / "images"
    return {
        path.read_text(): path.relative_to(images).as_posix()
        for path in images.rglob("*")
        if path.is_file()
    }


def in_place(root: Path) -> dict[str, str]:
    wnids = list(WORDS)
    return {f"val_{i}": f"{wnids[i % len(wnids)]}/val_{i}.JPEG" for i in range(len(wnids) * HELD)}


def test_each_validation_image_gets_into_the_folder_of_its_class(root: Path) -> None:
    done = sort_validation(root)
    assert (done.moved, done.already, done.missing, done.unknown) == (30, 0, (), ())
    assert validation(root) == in_place(root)


def test_a_second_run_changes_nothing(root: Path) -> None:
    sort_validation(root)
    done = sort_validation(root)
    assert (done.moved, done.already) == (0, 30)
    assert validation(root) == in_place(root)


@pytest.mark.parametrize("after", range(0, 30, 3))
def test_an_interrupted_run_loses_nothing_and_the_next_one_finishes(
    root: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename
    calls = 0

    def interrupt(self: Path, target: Path) -> Path:
        nonlocal calls
        if calls == after:
            raise KeyboardInterrupt
        calls += 1
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupt)
        with pytest.raises(KeyboardInterrupt):
            sort_validation(root)
    assert validation(root).keys() == in_place(root).keys()
    done = sort_validation(root)
    assert (done.moved, done.already) == (30 - after, after)
    assert validation(root) == in_place(root)


def test_an_image_that_is_missing_or_unknown_is_named_and_left(root: Path) -> None:
    (root / "val" / "images" / "val_3.JPEG").unlink()
    (root / "val" / "images" / "mine.JPEG").write_text("mine")
    done = sort_validation(root)
    assert (done.moved, done.missing, done.unknown) == (29, ("val_3.JPEG",), ("mine.JPEG",))
    assert validation(root)["mine"] == "mine.JPEG"


def test_an_image_at_both_places_is_not_overwritten(root: Path) -> None:
    sort_validation(root)
    (root / "val" / "images" / "val_0.JPEG").write_text("another")
    before = validation(root)
    with pytest.raises(TrainingError, match=r"val_0.JPEG is in .*Remove the one that is wrong"):
        sort_validation(root)
    assert validation(root) == before


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("../../train/x.JPEG\tn02012849", "line 31: '../../train/x.JPEG' is no name"),
        ("val_99.JPEG\tn99999999", "line 31: 'val_99.JPEG' is of class 'n99999999'"),
        ("val_99.JPEG", "line 31: 'val_99.JPEG' is of class ''"),
        ("val_0.JPEG\tn02012849", "line 31: 'val_0.JPEG' has two classes"),
    ],
)
def test_a_damaged_list_is_refused_before_anything_moves(
    root: Path, line: str, complaint: str
) -> None:
    with (root / "val" / "val_annotations.txt").open("a") as file:
        file.write(line + "\n")
    before = validation(root)
    with pytest.raises(TrainingError, match=complaint):
        sort_validation(root)
    assert validation(root) == before


def test_names_are_first_words_and_never_shared(root: Path) -> None:
    assert read_names(root) == {
        "n01443537": "goldfish",
        "n02012849": "crane (n02012849)",
        "n03126707": "crane (n03126707)",
        "n02113186": "Cardigan, Cardigan Welsh corgi",
        "n02963159": "cardigan",
    }


def test_a_crane_alone_needs_no_number(root: Path) -> None:
    (root / "wnids.txt").write_text("n02012849\nn01443537\n")
    assert read_names(root) == {"n01443537": "goldfish", "n02012849": "crane"}


def test_a_class_without_a_name_is_named(root: Path) -> None:
    (root / "words.txt").write_text("n01443537\tgoldfish\n")
    with pytest.raises(TrainingError, match="no name for 4 of 5 wnids, the first is n02012849"):
        read_names(root)


def test_train_is_for_training_and_the_held_images_are_halved(root: Path) -> None:
    sort_validation(root)
    found = read_split_folder(root)
    table, split = found.table, found.split
    assert table.labels == tuple(sorted(read_names(root).values()))
    assert Counter(row.label for row in split.train) == dict.fromkeys(table.labels, 4)
    for part in (split.validation, split.test):
        assert Counter(row.label for row in part) == dict.fromkeys(table.labels, HELD // 2)
    rows = [row for name in PARTS for row in split.part(name)]
    assert sorted(rows, key=str) == sorted(table.rows, key=str)
    for row in rows:
        assert (root / row.file).is_file()
        assert {wnid for wnid, name in read_names(root).items() if name == row.label} == {
            row.file.split("/")[-3 if row.file.startswith("train") else -2]
        }


def test_the_seed_decides_the_halves(root: Path) -> None:
    sort_validation(root)
    assert read_split_folder(root, 1).split == read_split_folder(root, 1).split
    assert read_split_folder(root, 1).split != read_split_folder(root, 2).split


def test_images_not_sorted_yet_are_said_to_be(root: Path) -> None:
    with pytest.raises(TrainingError, match=r"Sort them .* `python -m training tiny-imagenet"):
        read_split_folder(root)


def test_another_folder_is_not_taken_for_it(root: Path, tmp_path: Path) -> None:
    assert is_tiny_imagenet(root)
    assert not is_tiny_imagenet(tmp_path)
    with pytest.raises(TrainingError, match=r"words.txt|wnids.txt"):
        tiny_imagenet(tmp_path)


def test_the_commands_sort_and_split_it(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_imagenet(root)
    assert "30 images moved, 0 were in place; 5 classes" in capsys.readouterr().err
    split_command(root, tmp_path / "split.csv")
    assert "cardigan" in capsys.readouterr().out
    assert read_split(tmp_path / "split.csv", root) == read_split_folder(root).split
    with pytest.raises(TrainingError, match="comes with its own split"):
        split_command(root, tmp_path / "other.csv", groups=tmp_path / "groups.csv")


def place_validation(root: Path, below: str) -> None:
    """Sort the validation images as other tools do; ``below`` names the folder of a wnid."""
    annotations = read_annotations(root)
    for name, wnid in annotations.items():
        target = root / "val" / below.format(wnid) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (root / "val" / "images" / name).rename(target)
    with contextlib.suppress(OSError):
        (root / "val" / "images").rmdir()


@pytest.mark.parametrize("below", ["images/{}", "images/{}/images", "{}", "{}/images"])
@pytest.mark.parametrize("listed", [True, False], ids=["with annotations", "without"])
def test_validation_images_that_were_sorted_otherwise_are_taken(
    root: Path, below: str, listed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    place_validation(root, below)
    if not listed:
        (root / "val" / "val_annotations.txt").unlink()
    before = {path for path in root.rglob("*") if path.is_file()}
    tiny_imagenet(root)
    said = "0 images moved, 30 were in place" if listed else "30 validation images are in class"
    assert said in capsys.readouterr().err
    assert {path for path in root.rglob("*") if path.is_file()} == before
    split = read_split_folder(root).split
    assert [len(split.part(name)) for name in PARTS] == [20, 15, 15]


def test_validation_images_that_are_left_unsorted_are_counted(root: Path) -> None:
    sort_validation(root)
    (root / "val" / "images" / "more.JPEG").write_text("more")
    note = read_split_folder(root).notes[0]
    assert "1 image without a label (val/images/more.JPEG)" in note


def test_a_folder_that_holds_it_is_told_from_it(root: Path, tmp_path: Path) -> None:
    sort_validation(root)
    with pytest.raises(TrainingError, match=f"holds Tiny ImageNet in {root}. Give that folder"):
        read_split_folder(tmp_path)


def test_cleaning_keeps_its_layout(root: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(root.rglob("*.JPEG"))):
        picture = noise(6, 6, number).resize((64, 64), Image.Resampling.BICUBIC)
        path.write_bytes(encode(Image.blend(picture, noise(64, 64, number), 0.35), "JPEG"))
    sort_validation(root)
    clean(root, tmp_path / "kept", skip=["near-duplicate"])
    kept, given = read_split_folder(tmp_path / "kept"), read_split_folder(root)
    assert kept.split == given.split
    assert kept.table.labels == given.table.labels


@pytest.mark.parametrize("line", ["../train", "n1/n2", "n\x00", "x" * 300, "ä"])
def test_a_list_of_classes_that_are_no_folders_is_refused(root: Path, line: str) -> None:
    (root / "wnids.txt").write_text(f"n02012849\n{line}\n", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"wnids.txt: .* is no name of a class folder"):
        read_names(root)
