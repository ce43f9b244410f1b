"""A split keeps groups whole, classes in proportion, and says when it cannot."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from training.commands import data as verbs
from training.data.split import PARTS, read_split, write_split
from training.data.stratify import split_table
from training.data.table import ImageTable, LabelledImage
from training.errors import TrainingError


def table(**classes: list[str | None]) -> ImageTable:
    """Return a table: each class with the groups of its images, None for an image alone."""
    rows = [
        LabelledImage(f"{label}/{i}.jpg", label, group)
        for label, groups in classes.items()
        for i, group in enumerate(groups)
    ]
    return ImageTable(Path(), tuple(sorted(classes)), tuple(rows))


SINGLES = table(a=[None] * 100, b=[None] * 60, c=[None] * 40)
CLIPS = table(
    a=[f"a{i // 5}" for i in range(100)],
    b=[f"b{i // 3}" for i in range(60)],
    c=[None if i < 20 else f"c{i // 2}" for i in range(40)],
)


@pytest.mark.parametrize("images", [SINGLES, CLIPS], ids=["single images", "groups"])
def test_every_image_stands_in_exactly_one_part(images: ImageTable) -> None:
    split = split_table(images, 0.15, 0.15, seed=0)
    rows = [row for name in PARTS for row in split.part(name)]
    assert sorted(row.file for row in rows) == sorted(row.file for row in images.rows)


@pytest.mark.parametrize("images", [SINGLES, CLIPS], ids=["single images", "groups"])
def test_every_class_is_split_in_proportion(images: ImageTable) -> None:
    split = split_table(images, 0.15, 0.15, seed=0)
    for name, fraction in zip(PARTS, (0.7, 0.15, 0.15), strict=True):
        found = Counter(row.label for row in split.part(name))
        for label, total in images.counts().items():
            assert found[label] / total == pytest.approx(fraction, abs=0.08), (name, label)


@pytest.mark.parametrize(("validation", "test"), [(0.2, 0.4), (0.3, 0.3), (0.15, 0.15)])
def test_fractions_are_met_with_groups_too(validation: float, test: float) -> None:
    images = table(a=[f"a{i}" for i in range(200)], b=[f"b{i // 2}" for i in range(200)])
    split = split_table(images, validation, test, seed=0)
    assert len(split.validation) / 400 == pytest.approx(validation, abs=0.04)
    assert len(split.test) / 400 == pytest.approx(test, abs=0.04)


@pytest.mark.parametrize("seed", range(5))
def test_no_group_stands_in_two_parts(seed: int) -> None:
    split = split_table(CLIPS, 0.15, 0.15, seed)
    groups = [{row.group for row in split.part(name)} - {None} for name in PARTS]
    assert sum(map(len, groups)) == len(set.union(*groups))


def test_a_group_that_would_fill_a_part_stays_in_training() -> None:
    images = table(a=["one clip"] * 25 + [None] * 75, b=[None] * 100)
    for seed in range(5):
        split = split_table(images, 0.15, 0.15, seed)
        assert {row.group for row in (*split.validation, *split.test)} == {None}


def test_the_seed_decides_the_split() -> None:
    assert split_table(CLIPS, 0.15, 0.15, 3) == split_table(CLIPS, 0.15, 0.15, 3)
    assert split_table(CLIPS, 0.15, 0.15, 3) != split_table(CLIPS, 0.15, 0.15, 4)


def test_it_survives_a_file(tmp_path: Path) -> None:
    named = tuple(replace(row, source=f"camera {row.label}, left") for row in CLIPS.rows)
    split = split_table(replace(CLIPS, rows=named), 0.15, 0.15, seed=0)
    write_split(split, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv") == split


HEAD = "file,label,group,part\n"
WHOLE = """\
a/1,a,,train
a/2,a,,validation
a/3,a,,test
b/1,b,g,train
b/2,b,h,validation
b/3,b,i,test
"""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "split.csv is empty"),
        (HEAD, "split.csv is empty"),
        ("file,label\na,b\n", "has the columns file, label; it needs file, label, group, part"),
        (HEAD + WHOLE + "a/4,a,,tests\n", "line 8: there is no part 'tests'"),
        (HEAD + WHOLE + "a/4,a\n", "line 8: a cell is missing"),
        (HEAD + WHOLE + ",a,,test\n", "line 8: a cell is missing"),
        (HEAD + WHOLE + "b/4,b,g,test\n", "group 'g' stands in the train and in the test part"),
        (HEAD + WHOLE + "a/1,a,,test\n", "'a/1' twice, in the train and in the test part"),
        (HEAD + WHOLE + "a/1,a,,train\n", "'a/1' twice, in the train and in the train part"),
        (HEAD + WHOLE.replace("b/2,b,h", "a/9,a,h"), "class 'b' is missing from the validation"),
        (HEAD + WHOLE + "c/1,c,,test\nd/1,d,,test\n", "class 'c' .and 1 more. is missing from the"),
    ],
)
def test_a_file_that_is_no_split_is_refused_by_name(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(TrainingError, match=complaint):
        read_split(tmp_path / "split.csv")


def test_a_file_that_is_a_split_is_read(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("\ufeff" + HEAD + WHOLE, encoding="utf-8")
    assert len(read_split(tmp_path / "split.csv").test) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nothing.csv cannot be read"):
        read_split(tmp_path / "nothing.csv")


def test_an_image_that_is_not_below_the_data_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text(HEAD + WHOLE)
    for file in ("a/1", "a/2", "b/1", "b/2", "b/3"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    with pytest.raises(TrainingError, match=r"1 of 6 images that are not below .* first is 'a/3'"):
        read_split(tmp_path / "split.csv", tmp_path)
    (tmp_path / "a" / "3").write_bytes(b"")
    assert len(read_split(tmp_path / "split.csv", tmp_path).train) == 2


@pytest.mark.parametrize(("validation", "test"), [(0, 0.2), (0.2, 0), (0.5, 0.5), (0.2, 1)])
def test_fractions_that_leave_a_part_empty_are_refused(validation: float, test: float) -> None:
    with pytest.raises(TrainingError, match="each must be above 0, and both together below 1"):
        split_table(SINGLES, validation, test, seed=0)


def photographs(root: Path, per_class: int = 20) -> Path:
    for label in ("鳥 と 空", "дрон"):
        (root / label).mkdir(parents=True)
        for i in range(per_class):
            (root / label / f"{i}.jpg").write_bytes(b"")
    return root


def test_the_verb_writes_one_file_and_prints_each_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = photographs(tmp_path / "data")
    verbs.split(root, tmp_path / "new" / "split.csv", validation=0.25, test=0.25)
    split = read_split(tmp_path / "new" / "split.csv", root)
    assert [len(split.part(name)) for name in PARTS] == [20, 10, 10]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["split.csv"]
    assert "дрон" in capsys.readouterr().out


def test_the_verb_keeps_groups_whole(tmp_path: Path) -> None:
    root = photographs(tmp_path / "data")
    clips = [
        f"{label}/{i}.jpg,{label}{i // 4}" for label in ("鳥 と 空", "дрон") for i in range(20)
    ]
    (tmp_path / "g.csv").write_text("file,group\n" + "\n".join(clips), encoding="utf-8")
    verbs.split(root, tmp_path / "s.csv", tmp_path / "g.csv", validation=0.25, test=0.25)
    split = read_split(tmp_path / "s.csv", root)
    assert {row.group for name in PARTS for row in split.part(name)} == {
        line.split(",")[1] for line in clips
    }


def test_the_verb_does_not_overwrite_a_split(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("mine")
    with pytest.raises(TrainingError, match="s.csv exists already"):
        verbs.split(photographs(tmp_path / "data"), tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text() == "mine"


def test_a_class_of_one_image_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    root = photographs(tmp_path / "data")
    (root / "lonely").mkdir()
    (root / "lonely" / "1.jpg").write_bytes(b"")
    with pytest.raises(TrainingError, match="The class 'lonely' has too few images"):
        verbs.split(root, tmp_path / "s.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_class_with_too_few_images_is_named(count: int) -> None:
    with pytest.raises(TrainingError, match="The class 'b'"):
        split_table(table(a=[None] * 50, b=[None] * count), 0.15, 0.15, seed=0)


def test_many_classes_with_too_few_images_are_counted_and_some_are_named() -> None:
    few: dict[str, list[str | None]] = {f"c{i}": [None] * 3 for i in range(8)}
    named = r"'c0' \(3\), 'c1' \(3\), 'c2' \(3\), 'c3' \(3\), 'c4' \(3\) and 3 more"
    with pytest.raises(TrainingError, match=f"8 of 9 classes have too few images: {named}"):
        split_table(table(a=[None] * 7, **few), 0.15, 0.15, seed=0)


def test_a_class_of_a_single_group_is_named() -> None:
    images = table(a=[f"a{i}" for i in range(50)], b=["clip"] * 30)
    with pytest.raises(TrainingError, match="'b' is missing from the .* part: .* in 1 groups"):
        split_table(images, 0.15, 0.15, seed=0)
