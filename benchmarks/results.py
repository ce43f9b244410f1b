"""The results: results.json keeps every row, docs/performance.md has a table of some."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, Series

KEPT = "results.json"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"

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
"""The rows of docs/performance.md."""


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


def write_records(folder: Path, records: Iterable[Record], page: Path = PAGE) -> None:
    """Write all records as JSON, and the table of the HEADLINES between the marks of a page.

    Args:
        folder: Folder of the JSON file; made if missing.
        records: All records, in order.
        page: Markdown file; what is around the marks stays. Made if missing.
    """
    kept = list(records)
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(record.to_json(), ensure_ascii=False) for record in kept)
    (folder / KEPT).write_text("[\n" + ",\n".join(lines) + "\n]\n")
    text = page.read_text() if page.is_file() else f"# Performance\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{markdown(kept)}\n\n{END}{after}")


def markdown(records: Iterable[Record]) -> str:
    """Return the table of the HEADLINES, and under it when and where they were measured."""
    shown = [record for record in records if record.row.name in HEADLINES]
    lines = ["| figure | usual → here | result | goal | n |", "|---|---|---|---|---|"]
    for row in (record.row for record in shown):
        sides = [one for one in row.series if ":" not in one.label]
        goal = f"{bound(row)}, {verdict(row)}" if row.goal else ""
        cells = [row.figure, _compared(sides), f"**{result(row)}**", goal, str(runs(row))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *_origins(shown)])


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


def _origins(records: list[Record]) -> list[str]:
    commands: dict[tuple[str, str], dict[str, None]] = {}
    for record in records:
        machine = ", ".join(f"{name} {value}" for name, value in record.machine.items())
        commands.setdefault((record.date, machine), {})[record.command] = None
    lines = []
    for (date, machine), used in commands.items():
        by = ", ".join(f"`{command}`" for command in used)
        lines += ["", f"Measured on {date} by {by}: {machine}."]
    return lines
