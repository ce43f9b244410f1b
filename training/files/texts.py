"""Lines and CSV tables of text files from any editor, spreadsheet or system."""

from __future__ import annotations

import codecs
import csv
import io
import posixpath
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from training.files.csv_files import plain

_UTF_16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
_DELIMITERS = ",;\t"

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class CsvRow:
    """One row of a CSV.

    Attributes:
        line: The number of its last line, from 1.
        cells: The cells by column, without missing ones.
    """

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class CsvTable:
    """A CSV with a header.

    Attributes:
        columns: The names in the header.
        rows: The rows below it, blank lines left out.
    """

    columns: tuple[str, ...]
    rows: tuple[CsvRow, ...]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file in UTF-8, UTF-16 or Latin-1, with any line ends.

    Raises:
        OSError: The file cannot be read.
    """
    data = path.read_bytes()
    try:
        text = _decode(data, "strict")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def read_csv(path: Path, needed: Collection[str]) -> CsvTable:
    """Read a CSV in UTF-8 or UTF-16, separated by commas, semicolons or tabs.

    Bytes that are no UTF-8 stay in the cells as surrogates, as they do in names of files;
    ``Spellings`` finds what they mean. An apostrophe that guards a formula is taken away.

    Args:
        path: The file.
        needed: The columns that tell which separator is used.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is cut short inside a character, or has a column twice.
        csv.Error: A cell is too large.
    """
    text = _decode(path.read_bytes(), "surrogateescape")
    head = text.lstrip("\r\n").splitlines()[:1]
    separator = next((one for one in _DELIMITERS if set(needed) <= set(_header(head, one))), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    columns: tuple[str, ...] = ()
    rows = []
    for cells in reader:
        if not cells:
            continue
        if not columns:
            columns = tuple(cell.strip().casefold() for cell in cells)
            if twice := [name for name in columns if name and columns.count(name) > 1]:
                raise ValueError(f"the column {twice[0]!r} stands twice")
        else:
            rows.append(
                CsvRow(reader.line_num, dict(zip(columns, map(plain, cells), strict=False)))
            )
    return CsvTable(columns, tuple(rows))


class Spellings(Generic[_Value]):
    """Values by name, found under other spellings of the name, too.

    A table from another system may have backslashes, Latin-1, differently composed accents, './' or
    a second '/' in its names. The exact spelling is tried first.
    """

    def __init__(self, values: Mapping[str, _Value]) -> None:
        """Take the values by their exact names."""
        self._exact = values
        self._plain = {_plain(name): value for name, value in values.items()}

    def find(self, name: str) -> _Value | None:
        """Return the value of a name, None where there is none."""
        return self._exact[name] if name in self._exact else self._plain.get(_plain(name))


def _decode(data: bytes, errors: str) -> str:
    if data.startswith(_UTF_16):
        return data.decode("utf-16")
    return data.decode("utf-8-sig", errors)


def _header(head: list[str], separator: str) -> list[str]:
    cells = next(csv.reader(head, delimiter=separator), [])
    return [cell.strip().casefold() for cell in cells]


def _plain(name: str) -> str:
    """Return the spelling that all spellings of a path have in common."""
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:
            name = name.encode(errors="surrogateescape").decode("latin-1")
        name = unicodedata.normalize("NFC", name)
    return posixpath.normpath(name.replace("\\", "/"))
