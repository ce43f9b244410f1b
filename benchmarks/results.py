"""The results: kept as JSON, row by row; told in RESULTS.md, and in short in README.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, Series

KEPT = "results.json"
TOLD = "RESULTS.md"

BEGIN = "<!-- What follows is written by `make bench`. -->"
END = "<!-- What `make bench` writes ends here. -->"

HEADLINES = frozenset(
    {
        "cold-onnx",
        "cold-torchscript",
        "warm-12mp-p50-onnx",
        "warm-12mp-p50-torchscript",
        "warm-0.2mp-p50-onnx",
        "warm-0.2mp-p50-onnx-int8",
        "warm-0.2mp-p50-torchscript",
        "memory-onnx",
        "memory-torchscript",
        "overhead-12mp-onnx",
        "overhead-0.2mp-onnx",
        "agreement-label-onnx",
        "agreement-smaller-onnx",
        "dollars-12mp-onnx",
        "dollars-0.2mp-onnx",
        "dollars-12mp-torchscript",
        "dollars-0.2mp-torchscript",
        "scaling-processes",
        "scaling-memory",
        "inspect-memory",
        "clean-memory",
        "frozen-backbone-wall",
        "staged-run-wall",
        "full-step",
        "inspect-headers-wall",
        "inspect-wall",
        "inspect-12mp-wall",
        "clean-wall",
        "clean-12mp-wall",
    }
)
"""The rows that README.md has, too."""


@dataclass(frozen=True)
class Record:
    """A row, and how it was come by.

    Attributes:
        row: What was measured.
        date: When, in ISO 8601.
        command: By which command.
        machine: Where; see `benchmarks.machine`.
    """

    row: Row
    date: str
    command: str
    machine: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        how = {"date": self.date, "command": self.command, "machine": self.machine}
        return {**self.row.to_json(), **how}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Record:
        """Read what `to_json` returned."""
        rest = dict(document)
        date, command, machine = (rest.pop(key) for key in ("date", "command", "machine"))
        return cls(Row.from_json(rest), date, command, machine)


def read_records(folder: Path) -> dict[str, Record]:
    """Return what was measured before, by the rows' names."""
    path = folder / KEPT
    if not path.is_file():
        return {}
    records = map(Record.from_json, json.loads(path.read_text()))
    return {record.row.name: record for record in records}


def write_records(folder: Path, records: Iterable[Record]) -> None:
    """Keep records, and put their table between the marks in RESULTS.md; what is around it stays.

    Args:
        folder: Made if missing.
        records: All that there are, in order.
    """
    kept = list(records)
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(record.to_json(), ensure_ascii=False) for record in kept)
    (folder / KEPT).write_text("[\n" + ",\n".join(lines) + "\n]\n")
    path = folder / TOLD
    if not path.is_file():
        path.write_text(f"# Results\n\n{BEGIN}\n{END}\n")
    put_between_marks(path, markdown(kept))


def put_between_marks(path: Path, text: str) -> None:
    """Replace what stands between the marks of a file."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def markdown(records: list[Record]) -> str:
    """Return the table of all rows, and under it how they were come by."""
    lines = ["| figure | result | goal | | medians (half of the runs between) | n |"]
    lines.append("|---|---|---|---|---|---|")
    for record in records:
        row = record.row
        cells = [row.figure, f"**{result(row)}**", bound(row), verdict(row), medians(row)]
        lines.append("| " + " | ".join([*cells, str(runs(row))]) + " |")
    lines += ["", *_notes(records), *_origins(records)]
    return "\n".join(lines)


def in_short(records: Iterable[Record]) -> str:
    """Return the table of what people ask for first."""
    lines = ["| | usually → here | | goal | n |", "|---|---|---|---|---|"]
    for row in (record.row for record in records):
        if row.name not in HEADLINES:
            continue
        sides = [one for one in row.series if ":" not in one.label]
        goal = f"{bound(row)}, {verdict(row)}"
        cells = [row.figure, _compared(sides), f"**{result(row)}**", goal, str(runs(row))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def result(row: Row) -> str:
    """Return a row's result with its unit, in so many digits that it can be told from its goal."""
    told = number(row.result)
    if row.goal and told == number(row.goal.bound) and row.result != row.goal.bound:
        told = f"{row.result:.4g}"
    return f"{told}{' ' if row.unit else ''}{row.unit}"


def bound(row: Row) -> str:
    """Return a row's goal, such as "≥ 12 ×"; empty where there is none."""
    if row.goal is None:
        return ""
    sign = "≤" if row.goal.at_most else "≥"
    return f"{sign} {number(row.goal.bound)}{' ' if row.unit else ''}{row.unit}"


def verdict(row: Row) -> str:
    """Return whether a row meets its goal, in a word."""
    if row.goal is None:
        return ""
    return "met" if row.goal.is_met(row.result) else "missed"


def medians(row: Row, between: str = "; ") -> str:
    """Return what was measured, in words."""
    return between.join(map(_told, row.series))


def runs(row: Row) -> int:
    """Return in how many runs each side was measured."""
    return max((len(one.values) for one in row.series), default=0)


def number(value: float) -> str:
    """Return a number with three digits that count, or all that stand before the point."""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return digits if "e" not in digits else f"{value:.6f}"


def _compared(sides: Sequence[Series]) -> str:
    """Return medians as "before → after", or with their names where nothing is compared."""
    medians = [f"{number(one.median)} {one.unit}".rstrip() for one in sides]
    if sides[0].label == "baseline":
        return " → ".join(medians)
    return ", ".join(f"{one.label} {each}" for one, each in zip(sides, medians, strict=True))


def _told(one: Series) -> str:
    told = f"{one.label} {number(one.median)} {one.unit}".rstrip()
    if len(one.values) == 1:
        return told
    low, high = one.spread
    return f"{told} ({number(low)}–{number(high)})"


def _notes(records: list[Record]) -> list[str]:
    noted: dict[str, list[str]] = {}
    for record in records:
        for note in record.row.notes:
            noted.setdefault(note, []).append(record.row.name)
    return [
        f"- {note}: {', '.join(f'`{name}`' for name in names)}." for note, names in noted.items()
    ]


def _origins(records: list[Record]) -> list[str]:
    origins: dict[tuple[str, str, str], list[str]] = {}
    for record in records:
        machine = ", ".join(f"{name} {value}" for name, value in record.machine.items())
        origins.setdefault((record.date, record.command, machine), []).append(record.row.name)
    lines = []
    for (date, command, machine), names in origins.items():
        which = "everything" if len(names) == len(records) else ", ".join(f"`{n}`" for n in names)
        lines += ["", f"Measured on {date} by `{command}` ({which}). {machine}."]
    return lines
