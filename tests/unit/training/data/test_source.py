"""A split and a folder are compared both ways, groups are held to, and copies are counted."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.support.command_line import mistake, run
from tests.support.images import encode, noise
from tests.unit.training.test_training_cli import SMALL
from training.data.source import DataSource, SplitData, read_source
from training.data.split import PARTS, read_split
from training.data.table import read_folder
from training.errors import InterruptedRunError, TrainingError
from training.run import Run

CLASSES = ("cat", "dog", "emu")
IMAGES = 8


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, label in enumerate(CLASSES):
        for image in range(IMAGES):
            put(tmp_path / "data", f"{label}/{image}.png", 10 * number + image)
    return tmp_path / "data"


@pytest.fixture
def csv(root: Path, tmp_path: Path) -> Path:
    options = ("--validation", 0.25, "--test", 0.25)
    assert run("split", root, "--to", tmp_path / "s.csv", *options) == 0
    return tmp_path / "s.csv"


@pytest.fixture
def _no_fitting(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise InterruptedRunError("Here the training would begin.")

    monkeypatch.setattr("training.fitting.fit.Fitting.run", stop)
    monkeypatch.setattr(Run, "discard", lambda run: None)  # what was written is looked at


def put(root: Path, file: str, seed: int) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_bytes(encode(noise(32, 32, seed), "PNG"))


def read(root: Path, csv: Path | None = None, groups: Path | None = None) -> SplitData:
    return read_source(DataSource(root, groups, csv), 0.25, 0.25, 0)


def change(csv: Path, pattern: str, by: str) -> None:
    csv.write_text(re.sub(pattern, by, csv.read_text(), flags=re.MULTILINE))


def test_a_split_that_fits_its_folder_has_nothing_to_say(root: Path, csv: Path) -> None:
    assert read(root, csv).notes == ()
    assert read(root, csv).split == read_split(csv)


def test_a_class_of_the_split_that_no_folder_has_is_refused_by_name(root: Path, csv: Path) -> None:
    change(csv, ",dog,", ",dgo,")
    with pytest.raises(TrainingError, match=r"s.csv has the class 'dgo', .*'dog' may be meant"):
        read(root, csv)
    change(csv, ",emu,", ",ostrich,")
    with pytest.raises(TrainingError, match=r"s.csv has the class 'dgo' \(and 1 more\)"):
        read(root, csv)


def test_a_class_folder_that_was_renamed_is_told_by_its_images(root: Path, csv: Path) -> None:
    (root / "dog").rename(root / "hound")
    with pytest.raises(TrainingError, match="names 8 of 24 images that are not below .*'dog/"):
        read(root, csv)


@pytest.mark.usefixtures("_no_fitting")
def test_what_the_split_leaves_out_is_counted_and_becomes_no_label(
    root: Path, csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for image in range(5):
        put(root, f"fox/{image}.png", 90 + image)
    put(root, "cat/new.png", 99)
    found = read(root, csv)
    assert found.table.labels == CLASSES
    assert found.notes == (
        f"The model does not learn the classes that {csv} leaves out: 'fox' (5 images).",
        "Left out: 6 images that the split does not name (cat/new.png, …).",
    )
    save = tmp_path / "run"
    assert run("train", "--data", root, "--split", csv, "--save", save, *SMALL) == 130
    assert found.notes[1] in capsys.readouterr().err
    assert '"labels": [\n    "cat",\n    "dog",\n    "emu"\n  ]' in (save / "data.json").read_text()


def test_an_image_may_get_another_class_by_the_split_and_that_is_said(
    root: Path, csv: Path
) -> None:
    change(csv, "^cat/3.png,cat,", "cat/3.png,dog,")
    found = read(root, csv)
    rows = {row.file: row.label for name in PARTS for row in found.split.part(name)}
    assert rows["cat/3.png"] == "dog"
    assert "gives 1 images another class than their folders do" in found.notes[0]


def test_a_split_of_one_class_is_refused(root: Path, csv: Path) -> None:
    change(csv, "^(dog|emu).*\n", "")
    with pytest.raises(TrainingError, match="has one class only, 'cat'"):
        read(root, csv)


def write_groups(path: Path, root: Path, of: dict[str, str]) -> Path:
    lines = [f"{row.file},{of.get(row.file, '')}" for row in read_folder(root).rows]
    path.write_text("\n".join(["file,group", *lines]))
    return path


def test_groups_that_a_split_tears_are_an_error_that_names_them(
    root: Path, csv: Path, tmp_path: Path
) -> None:
    split = read_split(csv)
    torn = {split.train[0].file: "clip", split.test[0].file: "clip"}
    more = {split.train[1].file: "film", split.validation[0].file: "film"}
    groups = write_groups(tmp_path / "g.csv", root, torn | more)
    said = r"s.csv: the group 'film' \(and 1 more groups\) stands in the train and in the valid"
    with pytest.raises(TrainingError, match=said):
        read(root, csv, groups)
    whole = {row.file: "clip" for row in split.train[:2]}
    found = read(root, csv, write_groups(tmp_path / "h.csv", root, whole))
    assert [row.group for row in found.split.train[:3]] == ["clip", "clip", None]


def test_groups_replace_those_in_the_split(root: Path, csv: Path, tmp_path: Path) -> None:
    change(csv, ",,train,$", ",old,train,")
    assert {row.group for row in read(root, csv).split.train} == {"old"}
    found = read(root, csv, write_groups(tmp_path / "g.csv", root, {}))
    assert {row.group for row in found.split.train} == {None}


def test_exact_copies_are_split_together_whatever_their_class(root: Path) -> None:
    for image in range(IMAGES):
        for label in ("cat", "fox"):
            put(root, f"{label}/copy {image}.png", image)
    found = read(root)
    part = {row.file: name for name in PARTS for row in found.split.part(name)}
    for image in range(IMAGES):
        names = (f"cat/{image}.png", f"cat/copy {image}.png", f"fox/copy {image}.png")
        assert len({part[name] for name in names}) == 1
    assert (
        found.notes[0] == "24 images have the same bytes as another; such images stay in one part."
    )
    assert set(Counter(part.values())) == set(PARTS)


@pytest.mark.usefixtures("_no_fitting")
@pytest.mark.parametrize("given", ["split", "folder"])
def test_copies_of_training_images_in_other_parts_are_counted_in_a_line(
    root: Path, csv: Path, tmp_path: Path, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    split = read_split(csv)
    for row in (split.test[0], split.validation[0], split.validation[1]):
        (root / row.file).write_bytes((root / split.train[0].file).read_bytes())
    data: tuple[object, ...] = (root, "--split", csv)
    if given == "folder":
        for name in PARTS:
            for row in split.part(name):
                target = tmp_path / "parts" / name / row.file
                target.parent.mkdir(parents=True, exist_ok=True)
                (root / row.file).rename(target)
        data = (tmp_path / "parts",)
    assert run("train", "--data", *data, "--save", tmp_path / "run", *SMALL) == 130
    said = "2 of 6 validation images and 1 of 6 test images are exact copies of training images"
    assert said in capsys.readouterr().err


def test_cleaning_a_split_folder_keeps_its_layout_and_takes_copies_out_of_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    for number, label in enumerate(CLASSES):
        for i, part in enumerate(("train", "valid", "test")):
            for image in range(4):
                put(root, f"{part}/{label}/{image}.png", 100 * number + 10 * i + image)
    put(root, "train/cat/copy.png", 21)  # test/cat/1.png
    assert run("clean", root, "--to", tmp_path / "kept", "--skip", "blurry") == 0
    assert "in train, the same bytes" in " ".join(capsys.readouterr().out.split())
    kept = read_source(DataSource(tmp_path / "kept"), 0.2, 0.2, 0)
    assert [len(kept.split.part(name)) for name in PARTS] == [12, 12, 12]
    assert not (tmp_path / "kept" / "train" / "cat" / "copy.png").exists()
    for image in range(4):
        put(root, f"test/emu/{image}.png", 200 + image)
        put(root, f"train/emu/{image}.png", 200 + image)
    line = mistake(capsys, "clean", root, "--to", tmp_path / "again", "--skip", "blurry")
    assert "would drop all images of the class 'emu' in the train part: leak 4" in line


def test_a_given_split_is_written_as_a_csv(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    for number, label in enumerate(CLASSES):
        for i, part in enumerate(("Train", "Test")):
            for image in range(8):
                put(root, f"{part}/{label}/{image}.png", 100 * number + 10 * i + image)
    assert run("split", root, "--to", tmp_path / "s.csv", "--validation", 0.25) == 0
    said = capsys.readouterr().err
    assert "is split already and is read so: 24 train, 24 test images" in said
    assert "It has no validation part: 25% of its training images are drawn for that, 6." in said
    split = read_split(tmp_path / "s.csv", root)
    assert [len(split.part(name)) for name in PARTS] == [18, 6, 24]
    assert {row.file.split("/")[0] for row in split.test} == {"Test"}
    assert read(root, tmp_path / "s.csv").split == split


def test_a_model_is_measured_on_the_last_part_of_a_split_folder(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = json.loads((version / "model.json").read_text())["labels"]
    for number, label in enumerate(labels):
        for part, images in (("train", 3), ("valid", 2), ("test", 1)):
            for image in range(images):
                put(tmp_path / "data", f"{part}/{label}/{image}.png", 10 * number + image)
    for part, images in (("test", 1), ("validation", 2)):
        assert run("evaluate", version, "--data", tmp_path / "data", "--json") == 0
        output = capsys.readouterr()
        assert f"its {images * len(labels)} {part} images are evaluated" in output.err
        assert json.loads(output.out)["n"] == images * len(labels)
        if part == "test":
            shutil.rmtree(tmp_path / "data" / "test")


@pytest.mark.parametrize(
    "spelling", ["cat//0.png", "./cat/0.png", "dog/../cat/0.png", "cat\\\\0.png", "cat/./0.png"]
)
def test_an_image_stands_in_one_part_however_it_is_spelled(
    root: Path, csv: Path, spelling: str
) -> None:
    part = next(p for p in PARTS if any(r.file == "cat/0.png" for r in read_split(csv).part(p)))
    other = next(name for name in PARTS if name != part)
    csv.write_text(f"{csv.read_text()}{spelling},cat,,{other},\n")
    with pytest.raises(TrainingError, match=r"names the image 'cat/0\.png' twice"):
        read(root, csv)


@pytest.mark.parametrize("outside", ["../other.png", "{}/other.png", "cat/../../other.png"])
def test_a_split_names_no_file_outside_its_folder(root: Path, csv: Path, outside: str) -> None:
    put(root.parent, "other.png", 99)
    csv.write_text(f"{csv.read_text()}{outside.format(root.parent)},cat,,train,\n")
    with pytest.raises(TrainingError, match="1 of 25 images that are not below"):
        read(root, csv)


def test_an_image_has_one_group_however_it_is_spelled(root: Path, tmp_path: Path) -> None:
    groups = write_groups(tmp_path / "g.csv", root, {})
    groups.write_text(f"{groups.read_text()}\n./cat/0.png,another\n")
    with pytest.raises(TrainingError, match=r"names 'cat/0\.png' twice, in line"):
        read(root, groups=groups)


def test_spaces_around_a_group_make_no_other_one(root: Path, tmp_path: Path) -> None:
    names = {"cat/0.png": "clip", "cat/1.png": "clip ", "cat/2.png": " clip"}
    found = read(root, groups=write_groups(tmp_path / "g.csv", root, names))
    assert [row.group for row in found.table.rows if row.file in names] == ["clip"] * 3


def test_a_column_that_stands_twice_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("file,group,group\ncat/0.png,a,b\n")
    with pytest.raises(TrainingError, match="the column 'group' stands twice"):
        read(root, groups=tmp_path / "g.csv")
