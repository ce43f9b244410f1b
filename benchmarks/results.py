"""The results: results.json keeps every row, docs/performance.md has them as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.rows import Row, Series

KEPT = Path(__file__).with_name("results.json")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"

BEGIN = "<!-- What follows is written by `make bench`. -->"
END = "<!-- What `make bench` writes ends here. -->"


def read_rows(path: Path = KEPT) -> dict[str, Row]:
    """Return the rows of a JSON file by their names."""
    return {each["name"]: Row.from_json(each) for each in json.loads(path.read_text())}


def write_rows(rows: Iterable[Row], path: Path = KEPT, page: Path = PAGE) -> None:
    """Write rows as JSON, a row a line, and as a table between the marks of a page."""
    kept = list(rows)
    lines = [json.dumps(asdict(row), ensure_ascii=False) for row in kept]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{markdown(kept)}\n\n{END}{after}")


def markdown(rows: Sequence[Row]) -> str:
    """Return the table of all rows, and under it when and where they were measured."""
    lines = ["| figure | usual → here | result | goal | n |", "|---|---|---|---|---|"]
    commands: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        n = len(row.series[0].values)
        cells = (row.figure, _compared(row.series), f"**{result(row)}**", goal(row), str(n))
        lines.append(f"| {' | '.join(cells)} |")
        machine = ", ".join(f"{name} {value}" for name, value in row.machine.items())
        commands.setdefault((row.date, machine), {})[f"`{row.command}`"] = None
    for (date, machine), used in commands.items():
        lines += ["", f"Measured on {date} by {', '.join(used)}: {machine}."]
    return "\n".join(lines)


def result(row: Row) -> str:
    """Return a row's result with its unit, with enough digits to tell it from its goal."""
    text = number(row.result)
    if row.goal and text == number(row.goal.bound) and row.result != row.goal.bound:
        text = f"{row.result:.4g}"
    return f"{text} {row.unit}".rstrip()


def goal(row: Row) -> str:
    """Return a row's goal and whether it meets it, such as "≥ 12 ×, met"; empty without one."""
    if row.goal is None:
        return ""
    sign = "≤" if row.goal.at_most else "≥"
    verdict = "met" if row.goal.is_met(row.result) else "missed"
    return f"{sign} {number(row.goal.bound)} {row.unit}".rstrip() + f", {verdict}"


def medians(row: Row) -> str:
    """Return each side's median, and the spread of several runs, one a line."""
    lines = []
    for one in row.series:
        low, high = map(number, one.spread)
        lines.append(_median(one) + (f" ({low}–{high})" if len(one.values) > 1 else ""))
    return "\n".join(lines)


def number(value: float) -> str:
    """Return a number with three significant digits, or all that stand before the point."""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return digits if "e" not in digits else f"{value:.6f}"


def _compared(sides: Sequence[Series]) -> str:
    """Return medians as "before → after", or with their names where nothing is compared."""
    if sides[0].label == "baseline":
        return " → ".join(f"{number(one.median)} {one.unit}" for one in sides)
    return ", ".join(map(_median, sides))


def _median(one: Series) -> str:
    return f"{one.label} {number(one.median)} {one.unit}".rstrip()
