"""CSV files: what is written comes back, and no cell of it is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.groups import rows_with_groups
from training.data.split import Split, read_split, write_split
from training.data.table import LabelledImage
from training.files.csv_files import new_csv, open_csv

pytestmark = pytest.mark.fuzz

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x")
FILE_NAMES = st.binary(min_size=1, max_size=60).map(
    lambda name: os.fsdecode(name.translate(None, b"\x00/") or b"x")
)
CELLS = st.one_of(
    FILE_NAMES,
    st.text(st.characters(exclude_categories=())),
    st.text("'=+-@\t\r\n\",; a1"),
)


def raw(path: Path) -> list[list[str]]:
    """Return the cells as any other program reads them."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.reader(file))


def written(path: Path, *cells: object) -> None:
    with new_csv(path, ("a", "b")) as add:
        for cell in cells:
            add((cell, "x"))


def read(path: Path) -> list[str]:
    with open_csv(path) as reader:
        return [row["a"] for row in reader]


@pytest.mark.parametrize("text", [*FORMULAS, *(f"'{f}" for f in FORMULAS), "''=1"])
def test_a_text_that_would_be_a_formula_is_guarded_and_comes_back(
    text: str, tmp_path: Path
) -> None:
    written(tmp_path / "t.csv", text)
    assert raw(tmp_path / "t.csv")[1][0] == f"'{text}"
    assert read(tmp_path / "t.csv") == [text]


@pytest.mark.parametrize("text", ["", "a=1", " =1", "'", "'a", "it's", "1-2", "Möwe", "#x"])
def test_other_texts_are_written_as_they_are(text: str, tmp_path: Path) -> None:
    written(tmp_path / "t.csv", text)
    assert raw(tmp_path / "t.csv")[1][0] == text
    assert read(tmp_path / "t.csv") == [text]


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    written(tmp_path / "t.csv", -0.5, -3, 1e-9, None)
    assert [row[0] for row in raw(tmp_path / "t.csv")[1:]] == ["-0.5", "-3", "1e-09", ""]
    assert read(tmp_path / "t.csv") == ["-0.5", "-3", "1e-09", ""]


def test_headings_are_guarded_too(tmp_path: Path) -> None:
    with new_csv(tmp_path / "t.csv", ("=a", "b")) as add:
        add((1, 2))
    assert raw(tmp_path / "t.csv")[0] == ["'=a", "b"]
    with open_csv(tmp_path / "t.csv") as reader:
        assert list(reader) == [{"=a": "1", "b": "2"}]


@pytest.mark.parametrize("text", FORMULAS[:4])
def test_a_table_of_someone_elses_reads_without_guards(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f'a,b\n"{text}",-0.5\n', encoding="utf-8-sig")
    assert read(tmp_path / "t.csv") == [text]


def test_a_name_that_is_not_utf8_is_written_byte_for_byte(tmp_path: Path) -> None:
    written(tmp_path / "t.csv", os.fsdecode(b"caf\xe9.jpg"))
    assert b"caf\xe9.jpg,x" in (tmp_path / "t.csv").read_bytes()
    assert read(tmp_path / "t.csv") == [os.fsdecode(b"caf\xe9.jpg")]


@given(st.lists(CELLS.filter(lambda cell: "\x00" not in cell)))
def test_every_text_comes_back(cells: list[str]) -> None:
    # Surrogates that stand for no byte come from no file's name.
    cells = [os.fsdecode(os.fsencode(c.encode("utf-8", "replace").decode())) for c in cells]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        written(path, *cells)
        assert read(path) == cells
        for row in raw(path)[1:]:
            assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(st.lists(FILE_NAMES, min_size=3, unique=True), CELLS)
def test_a_split_and_its_groups_come_back(names: list[str], group: str) -> None:
    group = group.encode("utf-8", "replace").decode().replace("\x00", "").strip()
    labels = ("=a", "-b")
    rows = [
        LabelledImage(f"{label}/{name}", label, f"{label} {i} {group}".strip(), group)
        for label in labels
        for i, name in enumerate(names)
    ]
    parts = [rows[i :: len(names)] for i in range(len(names))]
    split = Split(tuple(sum(parts[2:], [])), tuple(parts[0]), tuple(parts[1]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "split.csv"
        write_split(split, path)
        assert read_split(path) == split
        bare = [LabelledImage(row.file, row.label) for row in split.train]
        with new_csv(Path(folder) / "groups.csv", ("file", "group", "source")) as add:
            for row in rows:
                add((row.file, row.group, row.source))
        assert rows_with_groups(bare, Path(folder) / "groups.csv") == split.train
