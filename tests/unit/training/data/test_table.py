"""A folder of class folders becomes a table; what is wrong with it is said in a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.data.contents import Skips, fingerprint, read_contents
from training.data.groups import rows_with_groups
from training.data.table import LabelledImage, read_folder
from training.errors import TrainingError


def make(root: Path, *files: str) -> Path:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.encode())
    return root


def test_the_folders_are_the_classes_in_alphabetical_order(tmp_path: Path) -> None:
    table = read_folder(make(tmp_path, "b/2.jpg", "a/x.png", "b/1.JPG"))
    assert table.labels == ("a", "b")
    assert table.rows == (
        LabelledImage("a/x.png", "a"),
        LabelledImage("b/1.JPG", "b"),
        LabelledImage("b/2.jpg", "b"),
    )
    assert table.counts() == {"a": 1, "b": 2}


def test_names_of_any_script_and_folders_in_folders_are_taken(tmp_path: Path) -> None:
    table = read_folder(make(tmp_path, "鳥 と 空/ä b/1.jpg", "дрон/2.webp"))
    assert table.labels == ("дрон", "鳥 と 空")
    assert [row.file for row in table.rows] == ["дрон/2.webp", "鳥 と 空/ä b/1.jpg"]


def test_notes_and_hidden_folders_are_no_images_and_no_classes(tmp_path: Path) -> None:
    table = read_folder(make(tmp_path, "a/1.jpg", "b/1.jpg", "b/notes.txt", ".git/x.jpg", "n.csv"))
    assert table.counts() == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ((), "has no images in class folders"),
        (("1.jpg", "2.jpg"), "has no images in class folders"),
        (("a/1.jpg",), "one class only, 'a'"),
        (("a/1.jpg", "b/notes.txt"), "b has no images"),
    ],
    ids=["empty", "no class folders", "one class", "a class without images"],
)
def test_a_folder_that_will_not_do_says_why(
    tmp_path: Path, files: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(TrainingError, match=complaint):
        read_folder(make(tmp_path, *files))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="There is no folder .*nothing"):
        read_folder(tmp_path / "nothing")


def test_groups_come_from_a_table(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/1.jpg")
    groups = tmp_path / "groups.csv"
    groups.write_text("\ufefffile,licence,group\na/1.jpg,x,clip 7\nb/1.jpg,y,\n", encoding="utf-8")
    rows = rows_with_groups(read_folder(tmp_path).rows, groups)
    assert [(row.group, row.source) for row in rows] == [("clip 7", ""), (None, "")]


def test_sources_come_along_with_the_groups(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/1.jpg")
    groups = tmp_path / "groups.csv"
    groups.write_text('file,source,group\na/1.jpg,"camera 1, left",clip 7\nb/1.jpg,,\n')
    rows = rows_with_groups(read_folder(tmp_path).rows, groups)
    assert [(row.group, row.source) for row in rows] == [("clip 7", "camera 1, left"), (None, "")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file,group\na/1.jpg,1\n", "no row for 1 of 2 images, the first is 'b/1.jpg'"),
        ("name,clip\na/1.jpg,1\n", "columns name, clip; it needs 'file' and 'group'"),
        ("", "it needs 'file' and 'group'"),
    ],
)
def test_a_table_of_groups_that_does_not_fit_says_why(
    tmp_path: Path, text: str, complaint: str
) -> None:
    make(tmp_path, "a/1.jpg", "b/1.jpg")
    groups = tmp_path / "groups.csv"
    groups.write_text(text)
    with pytest.raises(TrainingError, match=complaint):
        rows_with_groups(read_folder(tmp_path).rows, groups)


def test_a_missing_table_of_groups_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"groups in .*none.csv cannot be read"):
        rows_with_groups((), tmp_path / "none.csv")


def test_linked_class_folders_are_read_and_circles_left(tmp_path: Path) -> None:
    make(tmp_path / "elsewhere", "1.jpg", "deep/2.jpg")
    make(tmp_path / "data", "b/1.jpg", "b/._1.jpg")
    (tmp_path / "data" / "a").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "circle").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "b" / "more").symlink_to(tmp_path / "elsewhere" / "deep")
    (tmp_path / "data" / "b" / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    files = [row.file for row in read_folder(tmp_path / "data").rows]
    assert files == ["a/1.jpg", "a/deep/2.jpg", "b/1.jpg", "b/more/2.jpg"]


def test_names_that_are_no_unicode_are_taken(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/1.jpg")
    try:
        (tmp_path / "a" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes no such names")
    table = read_folder(tmp_path)
    assert table.counts() == {"a": 2, "b": 1}
    contents = read_contents(tmp_path, table.rows, "Reading", Skips(3))
    assert len(fingerprint(table.rows, contents)) == 64
