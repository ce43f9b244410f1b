"""A split keeps groups whole, classes in proportion, and says when it cannot."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from training.data.split import PARTS, read_split, split_table, write_split
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
    for name, fraction in (("train", 0.7), ("validation", 0.15), ("test", 0.15)):
        found = Counter(row.label for row in split.part(name))
        for label, total in images.counts().items():
            assert found[label] / total == pytest.approx(fraction, abs=0.08), (name, label)


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
    split = split_table(CLIPS, 0.15, 0.15, seed=0)
    write_split(split, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv") == split


@pytest.mark.parametrize("text", ["", "file,label\na,b\n", "file,label,group,part\na,b,,other\n"])
def test_a_file_that_is_no_split_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.csv").write_text(text)
    if not text:
        assert read_split(tmp_path / "split.csv").test == ()
        return
    with pytest.raises(TrainingError, match=r"split.csv cannot be read"):
        read_split(tmp_path / "split.csv")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_class_with_too_few_images_is_named(count: int) -> None:
    with pytest.raises(TrainingError, match="The class 'b'"):
        split_table(table(a=[None] * 50, b=[None] * count), 0.15, 0.15, seed=0)


def test_a_class_of_a_single_group_is_named() -> None:
    images = table(a=[f"a{i}" for i in range(50)], b=["clip"] * 30)
    with pytest.raises(TrainingError, match="'b' is missing from the .* part: .* in 1 groups"):
        split_table(images, 0.15, 0.15, seed=0)
