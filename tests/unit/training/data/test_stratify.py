"""Whatever the classes and groups: nothing is torn, no class takes images from another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.split import PARTS, Split
from training.data.stratify import missed_shares, split_table
from training.data.table import ImageTable, LabelledImage
from training.errors import TrainingError

pytestmark = pytest.mark.fuzz

Sizes = dict[str, list[int]]
"""The sizes of the groups of each class."""


def table(sizes: Sizes) -> ImageTable:
    rows = [
        LabelledImage(f"{label}/{group}-{i}.jpg", label, f"{label} {group}")
        for label, own in sizes.items()
        for group, size in enumerate(own)
        for i in range(size)
    ]
    return ImageTable(Path(), tuple(sorted(sizes)), tuple(rows))


def rows_of(split: Split) -> list[LabelledImage]:
    return [row for name in PARTS for row in split.part(name)]


def groups_of(split: Split) -> list[set[str | None]]:
    return [{row.group for row in split.part(name)} for name in PARTS]


group_sizes = st.lists(st.integers(1, 30), min_size=3, max_size=40)
shapes = st.dictionaries(st.sampled_from("abcdef"), group_sizes, min_size=1, max_size=6)
fractions = st.floats(0.05, 0.3)
seeds = st.integers(0, 2**32 - 1)


@given(shapes, fractions, fractions, seeds)
def test_each_class_comes_as_near_to_its_fractions_as_its_groups_allow(
    sizes: Sizes, validation: float, test: float, seed: int
) -> None:
    images = table(sizes)
    split = split_table(images, validation, test, seed)
    assert sorted(rows_of(split), key=str) == sorted(images.rows, key=str)
    train, held, tested = groups_of(split)
    assert not train & held | train & tested | held & tested
    for label, own in sizes.items():
        for name, fraction in (("validation", validation), ("test", test)):
            found = sum(row.label == label for row in split.part(name))  # type: ignore[arg-type]
            asked = fraction * sum(own)
            assert found, "three groups are enough for three parts"
            # Nearer to it than one group of the class is large.
            assert abs(found - asked) <= max(own)


@given(shapes, fractions, fractions, seeds)
def test_a_class_is_split_as_if_the_others_were_not_there(
    sizes: Sizes, validation: float, test: float, seed: int
) -> None:
    """A class of few groups costs the others nothing."""
    plenty = {**sizes, "poor": [1, 1, 1], "rich": [1] * 200}
    split = split_table(table(plenty), validation, test, seed)
    for name, fraction in (("validation", validation), ("test", test)):
        found = Counter(row.label for row in split.part(name))  # type: ignore[arg-type]
        assert found["rich"] == pytest.approx(200 * fraction, abs=1)
        assert found["poor"] == 1


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1, max_size=80),
    fractions,
    fractions,
    seeds,
)
def test_groups_of_several_classes_stay_whole(
    images: list[tuple[str, int]], validation: float, test: float, seed: int
) -> None:
    rows = tuple(
        LabelledImage(f"{i}.jpg", label, f"clip {group}" if group else None)
        for i, (label, group) in enumerate(images)
    )
    whole = ImageTable(Path(), tuple(sorted({row.label for row in rows})), rows)
    try:
        split = split_table(whole, validation, test, seed)
    except TrainingError as error:
        assert "Add images" in str(error) or "All" in str(error)  # noqa: PT017
        return
    assert sorted(rows_of(split), key=str) == sorted(rows, key=str)
    train, held, tested = ({*groups} - {None} for groups in groups_of(split))
    assert not train & held | train & tested | held & tested


def test_a_class_of_three_groups_leaves_the_others_their_training_images() -> None:
    images = table({"a": [5] * 100, "b": [5] * 100, "c": [5] * 100, "d": [5] * 3})
    split = split_table(images, 0.15, 0.15, seed=0)
    found = {name: Counter(row.label for row in split.part(name)) for name in PARTS}
    assert found["train"] == {"a": 350, "b": 350, "c": 350, "d": 5}
    assert found["validation"] == found["test"] == {"a": 75, "b": 75, "c": 75, "d": 5}
    assert missed_shares(split, 0.15, 0.15) == (
        "Groups stay whole, so that these classes miss 15% validation and 15% test: "
        "'d' (3 groups): 33% validation, 33% test."
    )


def test_classes_that_reach_their_fractions_are_not_mentioned() -> None:
    split = split_table(table({"a": [1] * 100, "b": [2] * 40}), 0.15, 0.15, seed=0)
    assert missed_shares(split, 0.15, 0.15) == ""


def test_equal_files_stay_in_one_part() -> None:
    rows = tuple(LabelledImage(f"{c}/{i}.jpg", c) for c in "ab" for i in range(60))
    equal = [[f"a/{i}.jpg", f"a/{i + 30}.jpg", f"b/{i}.jpg"] for i in range(30)]
    split = split_table(ImageTable(Path(), ("a", "b"), rows), 0.15, 0.15, 0, equal)
    part = {row.file: name for name in PARTS for row in split.part(name)}
    assert len(part) == 120
    for files in equal:
        assert len({part[file] for file in files}) == 1
    assert {Counter(part.values())[name] for name in PARTS[1:]} <= {17, 18, 19}


def test_all_images_in_one_group_are_said_to_be() -> None:
    rows = tuple(LabelledImage(f"{i}.jpg", "ab"[i % 2], "clip") for i in range(50))
    with pytest.raises(TrainingError, match="All 50 images are in one group, 'clip'"):
        split_table(ImageTable(Path(), ("a", "b"), rows), 0.15, 0.15, seed=0)


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        (1, "'b' has too few images .1. for training, validation and test"),
        (2, "'b' has too few images .2. for training, validation and test"),
        (30, "'b' is missing from the validation part: its 30 images are exact copies of one or"),
    ],
)
def test_a_class_of_copies_is_told_from_one_of_few_groups(images: int, complaint: str) -> None:
    rows = [
        LabelledImage(f"{c}/{i}.jpg", c) for c, n in (("a", 50), ("b", images)) for i in range(n)
    ]
    equal = [[row.file for row in rows if row.label == "b"], ["a/0.jpg", "a/1.jpg"]]
    with pytest.raises(TrainingError, match=complaint):
        split_table(ImageTable(Path(), ("a", "b"), tuple(rows)), 0.15, 0.15, 0, equal)
