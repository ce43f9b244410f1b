"""A folder that is split already is read as that split, and nothing else is taken for one."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.data.source import DataSource, SplitData, read_source
from training.data.split import PARTS
from training.data.table import read_folder
from training.data.walk import Reason
from training.errors import TrainingError

CLASSES = ("cat", "dog")


def make(root: Path, *folders: str, images: int = 4) -> Path:
    """Make folders of files that are named as images, all of different bytes."""
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for number in range(images):
            (root / folder / f"{number}.jpg").write_text(f"{folder} {number}")
    return root


def split(root: Path, *parts: str, images: int = 4) -> Path:
    """Make a folder of parts, each with the same classes."""
    return make(root, *(f"{part}/{label}" for part in parts for label in CLASSES), images=images)


def read(root: Path, groups: Path | None = None, csv: Path | None = None) -> SplitData:
    return read_source(DataSource(root, groups, csv), 0.25, 0.25, seed=0)


def folders_of(found: SplitData) -> list[set[str]]:
    """Return, for each part, the folders that its images are in, without the class."""
    return [{row.file.rsplit("/", 2)[0] for row in found.split.part(name)} for name in PARTS]


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("train", "valid", "test"),
        ("training", "validation", "testing"),
        ("Train", "Val", "Test"),
        ("TRAIN", "VALID", "TEST"),
        ("training_set", "validation_set", "test_set"),
        ("trainset", "valset", "testset"),
        ("train-images", "val-images", "test-images"),
        ("train2017", "val2017", "test2017"),
        ("01 train", "02 dev", "03 eval"),
        ("images/train", "images/val", "images/test"),
        ("pets/images/Training", "pets/images/Validation", "pets/images/Evaluation"),
        ("train/images", "val/images", "test/images"),
        ("seg_train/seg_train", "seg_val/seg_val", "seg_test/seg_test"),
        ("pets_train", "pets_val", "pets_test"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_parts_are_told_by_their_folders_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    found = read(split(tmp_path, *names))
    assert found.table.labels == CLASSES
    assert folders_of(found) == [{name} for name in names]
    assert "is split already and is read so: 8 train, 8 validation, 8 test images" in found.notes[0]
    assert {row.label for row in found.table.rows} == {*CLASSES}


def test_what_lies_beside_the_parts_is_no_part(tmp_path: Path) -> None:
    split(tmp_path / "pets", "train", "valid", "test")
    (tmp_path / "pets" / "README.roboflow.txt").write_text("made with …")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "1.txt").write_text("0 0 1 1")
    (tmp_path / "data.csv").write_text("a,b")
    assert folders_of(read(tmp_path)) == [{"pets/train"}, {"pets/valid"}, {"pets/test"}]


@pytest.mark.parametrize(
    ("there", "drawn"),
    [
        (("train", "val"), {"test"}),
        (("train", "test"), {"validation"}),
        (("train",), {"validation", "test"}),
    ],
    ids=["no test", "no validation", "train alone"],
)
def test_a_part_that_is_missing_is_drawn_from_training_by_groups_and_seed(
    tmp_path: Path, there: tuple[str, ...], drawn: set[str]
) -> None:
    root = split(tmp_path / "data", *there, images=16)
    groups = tmp_path / "groups.csv"
    lines = [
        f"{row.file},{row.label}{row.file.split('/')[0]}{int(Path(row.file).stem) // 2}"
        for row in read_folder(root).rows
    ]
    groups.write_text("file,group\n" + "\n".join(lines))
    found = read(root, groups)
    for name in drawn:
        part = found.split.part(name)  # type: ignore[arg-type]
        assert Counter(row.label for row in part) == dict.fromkeys(CLASSES, 4)
        assert all(row.file.startswith("train/") for row in part)
        assert f"It has no {name} part: 25% of its training images are drawn" in found.notes[0]
    of_parts = [{row.group for row in found.split.part(name)} for name in PARTS]
    assert sum(map(len, of_parts)) == len(set.union(*of_parts))
    rows = [row for name in PARTS for row in found.split.part(name)]
    assert sorted(rows, key=str) == sorted(found.table.rows, key=str)
    assert read(root, groups).split == found.split
    assert read_source(DataSource(root, groups), 0.25, 0.25, seed=1).split != found.split


@pytest.mark.parametrize("flat", ["test", "test/images", "seg_pred/seg_pred", "unlabelled"])
def test_images_without_labels_are_counted_and_the_test_part_is_drawn(
    tmp_path: Path, flat: str
) -> None:
    root = make(split(tmp_path, "train", images=8), flat)
    found = read(root)
    assert folders_of(found) == [{"train"}] * 3
    assert f"4 images without a label ({flat}/0.jpg, …)" in found.notes[-1]


@pytest.mark.parametrize(
    "labels",
    [
        ("train", "bus", "car"),
        ("train", "test tube", "val d'isere"),
        ("dev", "test"),
        ("bullet train", "crash test", "validation stamp"),
        ("train track", "test track"),
    ],
    ids=", ".join,
)
def test_classes_may_be_called_as_parts_are(tmp_path: Path, labels: tuple[str, ...]) -> None:
    found = read(make(tmp_path, *labels, images=12))
    assert found.table.labels == tuple(sorted(labels))
    assert not found.table.parts


def test_a_class_called_train_may_have_folders_of_its_own(tmp_path: Path) -> None:
    root = make(tmp_path, "train/steam", "train/diesel", "bus/red", "bus/blue", images=6)
    assert read(root).table.labels == ("bus", "train")


@pytest.mark.parametrize(
    ("folders", "complaint"),
    [
        (
            ("train/cat", "train/dog", "test/cat"),
            "disagree: the class 'dog' is in train, but not in test. Name the class folders alike",
        ),
        (
            ("train/cat", "train/dog", "val/cat", "val/dog", "val/emu"),
            "the class 'emu' is in val, but not in train. .* or give --data .*val alone",
        ),
        (
            ("train/cat", "train/dog", "test/Cat", "test/dog"),
            "'cat' is in train, but not in test, where 'Cat' may be meant for it",
        ),
        (
            (
                "a train/cat",
                "a train/dog",
                "a train/emu",
                "a test/cat",
                "a test/dog",
            ),
            "disagree: the class 'emu' is in a train",
        ),
        (
            ("train/cat", "train/dog", "test/cat", "test/dog", "testing/cat", "testing/dog"),
            "test and testing are both for test",
        ),
        (
            ("train/cat", "train/dog", "test/cat", "test/dog", "extra"),
            "is split into train and test, but extra beside them is none of the parts",
        ),
        (("train", "test"), "train has no class folders. .* if train and test are your classes"),
        (("train/images", "valid/images"), "train.images has no class folders"),
        (("train/cat", "test/cat"), "one class only, 'cat'"),
    ],
    ids=["lacks one", "one more", "case", "prefixed", "twice", "extra", "flat", "boxes", "one"],
)
def test_parts_that_will_not_do_are_refused_with_the_remedy(
    tmp_path: Path, folders: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(TrainingError, match=complaint):
        read(make(tmp_path, *folders))


def test_an_empty_class_folder_in_a_part_is_a_class_that_it_lacks(tmp_path: Path) -> None:
    root = split(tmp_path, "train", "test")
    for image in (root / "test" / "dog").iterdir():
        image.unlink()
    with pytest.raises(TrainingError, match="'dog' is in train, but not in test"):
        read(root)


def test_groups_that_the_folder_tears_are_refused(tmp_path: Path) -> None:
    root = split(tmp_path / "data", "train", "val", "test")
    groups = tmp_path / "groups.csv"
    lines = [f"{row.file},clip {row.label}" for row in read_folder(root).rows]
    groups.write_text("file,group\n" + "\n".join(lines))
    said = r"'clip cat' \(and 1 more groups\) stands in the train and in the validation part"
    with pytest.raises(TrainingError, match=said):
        read(root, groups)


def test_links_to_parts_and_classes_are_followed(tmp_path: Path) -> None:
    split(tmp_path / "store", "a", "b")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train").symlink_to(tmp_path / "store" / "a")
    (tmp_path / "data" / "test").symlink_to(tmp_path / "store" / "b")
    assert folders_of(read(tmp_path / "data")) == [{"train"}, {"train"}, {"test"}]


folder_names = st.sampled_from(
    ["train", "Test", "val", "images", "cat", "dog", "Cat", "a train", "a test", "pred", "labels"]
)
paths = st.lists(
    st.tuples(
        st.lists(folder_names, max_size=4),
        st.sampled_from(["1.jpg", "2.PNG", "3.jfif", "notes.txt", "no suffix"]),
    ),
    max_size=14,
)


@pytest.mark.fuzz
@example(
    [
        ([], "1.jpg"),
        *(([*"ab", part, label], "1.jpg") for part in ("train", "test") for label in CLASSES),
    ]
)
@given(paths)
def test_of_any_folder_each_image_is_a_row_or_counted(
    tmp_path_factory: pytest.TempPathFactory, paths: list[tuple[list[str], str]]
) -> None:
    root = tmp_path_factory.mktemp("any")
    files = {"/".join([*folders, name]) for folders, name in paths}
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(file)
    try:
        table = read_folder(root)
    except TrainingError:
        return
    finally:
        shutil.rmtree(root)
    rows = [row.file for row in table.rows]
    assert len(rows) == len(set(rows))
    assert {*rows} <= files
    images = sum(file.endswith((".jpg", ".PNG", ".jfif")) for file in files)
    counts = table.left_out.counts
    left = counts.get(Reason.OUTSIDE, 0) + counts.get(Reason.UNLABELLED, 0)
    assert len(rows) + left == images
    assert {row.label for row in table.rows} == {*table.labels}
    assert not table.parts or {*table.parts} == {*rows}


@pytest.mark.parametrize(
    "names",
    [("val", "test"), ("train", "valdiation"), ("train", "query", "gallery"), ("lernen", "test")],
)
def test_parts_of_other_names_are_not_taken_for_classes(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    root = split(tmp_path / "data", *names)
    with pytest.raises(TrainingError, match="it looks split, but not into train, validation and"):
        read(root)


def test_parts_below_the_classes_are_read_as_one_and_said_to_be(tmp_path: Path) -> None:
    parts = [f"{label}/{part}" for label in CLASSES for part in ("val", "train")]
    found = read(make(tmp_path, *parts, images=6))
    assert "hold train and val each: these are read as one and split again" in found.notes[0]
    assert f"{tmp_path}/train/<class name>/<image>.jpg" in found.notes[0]
    assert len(found.table.rows) == 24


def test_folders_in_classes_that_are_not_parts_need_no_word(tmp_path: Path) -> None:
    folders = [f"{label}/{below}" for label in CLASSES for below in ("train", "bus")]
    assert read(make(tmp_path, *folders, images=6)).notes == ()


def test_a_part_without_images_is_named(tmp_path: Path) -> None:
    root = split(tmp_path, "train", "test")
    (root / "validation").mkdir()
    found = read(root)
    assert "It has no validation part" in found.notes[0]
    assert "1 empty folder (validation/)" in found.notes[-1]
