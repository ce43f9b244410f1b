"""Every file is read and hashed once; the fingerprint is of names, labels and bytes."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.images import decode_image
from tests.support.pixel_material import load, make
from training.data import contents as contents_module
from training.data.contents import Skips, fingerprint, read_contents
from training.data.table import LabelledImage
from training.parallel import cores, in_threads


def test_the_fingerprint_changes_with_names_labels_and_bytes(tmp_path: Path) -> None:
    def of(rows: Sequence[LabelledImage]) -> str:
        found = read_contents(table.root, rows, "Hashing", Skips(len(rows)))
        return fingerprint(rows, found)

    table = make(tmp_path / "data")
    first, *others = table.rows
    whole = of(table.rows)
    assert of(table.rows) == whole
    assert of([replace(first, label=table.labels[-1]), *others]) != whole
    renamed = (table.root / first.file).with_stem("renamed")
    (table.root / first.file).rename(renamed)
    moved = replace(first, file=renamed.relative_to(table.root).as_posix())
    assert of([moved, *others]) != whole
    renamed.rename(table.root / first.file)
    assert of(table.rows) == whole
    (table.root / first.file).write_bytes((table.root / others[0].file).read_bytes())
    assert of(table.rows) != whole


def test_the_fingerprint_comes_from_the_same_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make(tmp_path / "data")
    found = read_contents(table.root, table.rows, "Hashing", Skips(len(table.rows)))
    row = table.rows[5]
    data = (table.root / row.file).read_bytes()
    assert found[row.file].sha256 == hashlib.sha256(data).hexdigest()
    assert (found[row.file].width, found[row.file].height) == decode_image(data).size
    expected = fingerprint(table.rows, found)
    monkeypatch.setattr(Path, "read_bytes", None)
    monkeypatch.setattr(Path, "open", None)
    assert fingerprint(table.rows, found) == expected
    assert fingerprint(table.rows[1:], found) != expected


def test_a_table_that_was_read_before_is_not_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make(tmp_path / "data")
    found = read_contents(table.root, table.rows, "Hashing", Skips(len(table.rows)))
    monkeypatch.setattr(contents_module, "sha256", None)
    assert len(load(table, contents=found)) == len(table.rows)


def test_results_of_threads_come_in_order_and_do_not_pile_up() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(200):
            taken.append(number)
            yield number

    def slow(number: int) -> int:
        time.sleep(0.004 if number % 5 == 0 else 0)
        return number * number

    for number, result in enumerate(in_threads(slow, items(), threads=3)):
        assert result == number * number
        assert len(taken) <= number + 14


def test_cores_are_those_that_may_be_used() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
