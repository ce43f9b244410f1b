"""Tables and lists are read from whatever editor, spreadsheet or system they come from."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.command_line import mistake, run
from training.data.groups import rows_with_groups
from training.data.source import DataSource, SplitData, read_source
from training.data.split import PARTS, read_split
from training.data.table import LabelledImage, read_folder
from training.data.tiny_imagenet import read_annotations, read_names
from training.errors import TrainingError

Change = Callable[[str], bytes]


def latin(text: str) -> bytes:
    return text.encode("latin-1", "xmlcharrefreplace")


CHANGES: dict[str, Change] = {
    "UTF-8": str.encode,
    "UTF-8 with BOM": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16, big end first": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "no last line end": lambda text: text.rstrip().encode(),
    "blank lines": lambda text: text.replace("\n", "\n\n").encode(),
    "accents apart": lambda text: unicodedata.normalize("NFD", text).encode(),
    "Latin-1": latin,
    "Latin-1, CRLF": lambda text: latin(text.replace("\n", "\r\n")),
}
"""How a text file comes out of other editors and systems."""
TABLES: dict[str, Change] = {
    **CHANGES,
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "tabs in UTF-16": lambda text: text.replace(",", "\t").encode("utf-16"),
    "quotes": lambda text: "".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) + "\n" for line in text.splitlines()
    ).encode(),
    "Windows": lambda text: text.replace("/", "\\").replace("\n", "\r\n").encode("utf-8-sig"),
    "./": lambda text: text.replace("\nv", "\n./v").encode(),
    "Upper case": lambda text: (
        text[: text.index("\n")].upper() + text[text.index("\n") :]
    ).encode(),
    "spaces in the header": lambda text: text.replace(",", " , ", 1).encode(),
}
"""How a CSV comes out of other spreadsheets and systems."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for label in ("vögel", "flüge"):
        for number in range(8):
            path = tmp_path / "data" / label / f"tür {number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{label} {number}")
    return tmp_path / "data"


def read(root: Path, groups: Path | None = None, split: Path | None = None) -> SplitData:
    return read_source(DataSource(root, groups, split), 0.25, 0.25, 0)


@pytest.mark.parametrize("change", TABLES.values(), ids=TABLES)
def test_groups_are_read_from_any_table(root: Path, tmp_path: Path, change: Change) -> None:
    rows = read_folder(root).rows
    lines = [f"{row.file},{row.label[0]}{int(row.file[-5]) // 2}" for row in rows]
    (tmp_path / "g.csv").write_bytes(change("file,group\n" + "\n".join(lines) + "\n"))
    found = rows_with_groups(rows, tmp_path / "g.csv")
    assert [row.group for row in found] == [line.split(",")[1] for line in lines]


@pytest.mark.parametrize("change", TABLES.values(), ids=TABLES)
def test_a_split_is_read_from_any_table(root: Path, tmp_path: Path, change: Change) -> None:
    made = read(root).split
    lines = [f"{row.file},{row.label},,{name}" for name in PARTS for row in made.part(name)]
    (tmp_path / "s.csv").write_bytes(change("file,label,group,part\n" + "\n".join(lines) + "\n"))
    found = read(root, split=tmp_path / "s.csv")
    assert found.split == made
    assert found.notes == ()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_lists_of_tiny_imagenet_are_read_from_any_text(tmp_path: Path, change: Change) -> None:
    (tmp_path / "wnids.txt").write_bytes(change("n2\nn1\n"))
    (tmp_path / "words.txt").write_bytes(change("n1\tBär, Ursus\nn2\tgoldfish\n"))
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "val_annotations.txt").write_bytes(change("1.JPEG\tn1\t0\n2.JPEG\tn2\t0\n"))
    assert {
        key: unicodedata.normalize("NFC", name) for key, name in read_names(tmp_path).items()
    } == {
        "n1": "Bär",
        "n2": "goldfish",
    }
    assert read_annotations(tmp_path) == {"1.JPEG": "n1", "2.JPEG": "n2"}


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("a,1\nb,1\na,2", r"'a' twice, in line 2 with the group '1' and in line 4 with '2'. Keep"),
        ("a,1\nb,\na,", r"'a' twice, in line 2 with the group '1' and in line 4 with ''"),
        ("a,1", "has no row for 1 of 2 images, the first is 'b'"),
        ("a;1", "has no row for 2 of 2 images"),
        ("\n\n", "has no row for 2 of 2 images"),
    ],
)
def test_groups_that_contradict_or_lack_an_image_are_refused(
    tmp_path: Path, lines: str, complaint: str
) -> None:
    (tmp_path / "g.csv").write_text("file,group\n" + lines)
    rows = [LabelledImage("a", "x"), LabelledImage("b", "x")]
    with pytest.raises(TrainingError, match=complaint):
        rows_with_groups(rows, tmp_path / "g.csv")


def test_a_file_that_is_named_twice_with_one_group_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("file,group\na,1\na,1\n")
    (row,) = rows_with_groups([LabelledImage("a", "x")], tmp_path / "g.csv")
    assert row.group == "1"


def test_rows_of_unknown_files_are_counted(root: Path, tmp_path: Path) -> None:
    lines = [f"{row.file}," for row in read_folder(root).rows]
    text = "\n".join(["file,group", *lines, "vögel/gone.jpg,7", "vögel/more.jpg,7"])
    (tmp_path / "g.csv").write_text(text, encoding="utf-8")
    note = read(root, tmp_path / "g.csv").notes[-1]
    assert note == "Left out: 2 rows of the groups without an image (vögel/gone.jpg, …)."


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--seed", -1), "greater than or equal to 0"),
        (("--seed", 1_000_000), "less than or equal to 999999"),
        (("--seed", "x"), "unable to parse string as an integer"),
        (("--validation", 0.6, "--test", 0.6), "both together below 1"),
        (("--validation", 0), "must be above 0"),
        (("--test", 1), "must be above 0, and both together below 1"),
    ],
)
def test_numbers_that_make_no_split_are_refused_in_a_sentence(
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[object, ...],
    complaint: str,
) -> None:
    assert run("split", root, "--to", tmp_path / "s.csv", *options) == 2
    error = capsys.readouterr().err
    assert complaint in " ".join(error.replace("│", " ").split())
    assert "Traceback" not in error
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize(("images", "grouped"), [(1, False), (2, False), (1, True), (2, True)])
def test_a_class_of_one_or_two_images_is_refused_in_a_sentence(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], images: int, grouped: bool
) -> None:
    (root / "lonely").mkdir()
    for number in range(images):
        (root / "lonely" / f"{number}.jpg").write_text(f"lonely {number}")
    groups = [f"{row.file},{row.label}{row.file[-5]}" for row in read_folder(root).rows]
    (tmp_path / "g.csv").write_text("\n".join(["file,group", *groups]), encoding="utf-8")
    options = ("--groups", tmp_path / "g.csv") if grouped else ()
    line = mistake(capsys, "split", root, "--to", tmp_path / "s.csv", *options)
    assert "The class 'lonely'" in line


@pytest.mark.fuzz
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(alphabet='\n\r,;\t"\\/éß\x00\ud800ab1', max_size=200).map(
            lambda text: b"file,label,group,part\n" + text.encode("utf-8", "surrogatepass")
        ),
        st.lists(st.lists(st.text(max_size=8), min_size=4, max_size=4), max_size=8).map(
            lambda rows: ("file,label,group,part\n" + "\n".join(map(",".join, rows))).encode()
        ),
    ),
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"]),
)
def test_whatever_a_file_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, mark: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    (folder / "val").mkdir(exist_ok=True)
    for name in ("t.csv", "wnids.txt", "words.txt", "val/val_annotations.txt"):
        (folder / name).write_bytes(mark + content)
    rows = [LabelledImage("a/1", "a"), LabelledImage("é", "b")]
    with contextlib.suppress(TrainingError):
        rows_with_groups(rows, folder / "t.csv")
    with contextlib.suppress(TrainingError):
        read_split(folder / "t.csv", folder)
    with contextlib.suppress(TrainingError):
        read_names(folder)
    with contextlib.suppress(TrainingError):
        read_annotations(folder)
    (folder / "wnids.txt").write_text("n1\nn2")
    with contextlib.suppress(TrainingError):
        read_names(folder)
    with contextlib.suppress(TrainingError):
        read_annotations(folder)
