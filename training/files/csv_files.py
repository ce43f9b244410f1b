"""CSV files that keep any bytes of names, and that no spreadsheet runs.

A text that a spreadsheet would take for a formula gets an apostrophe in front, as OWASP advises
against CSV injection; reading removes it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from training.files.atomic import replacing

_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")

Row = Iterable[object]


@contextmanager
def open_csv(path: Path) -> Iterator[csv.DictReader[str]]:
    """Read a CSV, of ours or of anyone, within this context.

    Raises:
        OSError: It cannot be read.
        csv.Error: It is no CSV; raised by the reader.
    """
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        reader: Any = csv.DictReader(file)
        reader.reader = _PlainRows(file)
        yield reader


@contextmanager
def new_csv(path: Path, columns: Row) -> Iterator[Callable[[Row], None]]:
    """Write a CSV within this context, whole or not at all; yield the function that adds a row.

    Raises:
        OSError: It cannot be written.
    """
    with (
        replacing(path) as partial,
        partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        write = csv.writer(file).writerow

        def add(row: Row) -> None:
            write([guarded(cell) for cell in row])

        add(columns)
        yield add


class _PlainRows:
    """The rows of ``csv.reader``, without the apostrophes that guard formulas."""

    def __init__(self, file: TextIO) -> None:
        self._rows = csv.reader(file)

    @property
    def line_num(self) -> int:
        return self._rows.line_num

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        return [plain(cell) for cell in next(self._rows)]


def guarded(cell: object) -> object:
    """Return a cell as it is written: a text that would be a formula has an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def plain(cell: str) -> str:
    """Return a cell that was read as it was before ``guarded``."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
