"""Tables fit the terminal, and nothing in them is cut off; nor in a file."""

from __future__ import annotations

import itertools
import re

import pytest
from rich.table import Table

from training.output import printing
from training.output.printing import print_table
from training.output.terminal import Terminal

NAMES = ("Parrot AR.Drone 2.0 Elite Edition, black", "a" * 60, "鳥 と 空", "b", "[bold]c")
WIDTHS = (40, 60, 80, 100, 120)
EXPENDABLE = ("note", "size", "count")


def table(title: str = "") -> Table:
    made = Table(title=title or None)
    made.add_column("class", overflow="fold")
    for heading in ("count", "size", "share"):
        made.add_column(heading, justify="right", no_wrap=True)
    made.add_column("note", overflow="fold")
    for i, name in enumerate(NAMES):
        made.add_row(name, f"{10**i * 1000:,}", f"64 · {i},200 · 4,032", f"0.{i}56", f"note {i}")
    return made


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    columns: int = request.param
    monkeypatch.setattr(printing, "result_console", lambda: Terminal(width=columns))
    return columns


def test_a_cell_is_whole_or_its_column_is_named_below(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(table(), EXPENDABLE)
    shown = capsys.readouterr().out
    assert "…" not in shown
    cells = [re.split("[│┃]", line)[1:-1] for line in shown.splitlines() if line[:1] in "│┃"]
    headings = [cell.strip() for cell in cells[0]]
    columns = ["".join("".join(column).split()) for column in zip(*cells, strict=True)]
    left_out = shown.partition("No room for ")[2].partition(":")[0].split(", ")
    expected = zip(*(table().columns[i]._cells for i in range(5)), strict=True)
    for heading, values in zip(
        ("class", "count", "size", "share", "note"), zip(*expected, strict=True), strict=True
    ):
        assert (heading in headings) != (heading in left_out)
        if heading in headings:
            whole = heading + "".join(str(value) for value in values)
            assert columns[headings.index(heading)] == "".join(whole.split())


def test_no_line_is_wider_than_the_terminal(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(table("A title that is much longer than the few columns below it " * 2), EXPENDABLE)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


def test_the_least_important_column_goes_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left_out = []
    for columns in (140, 90, 70, 55, 40, 30):
        monkeypatch.setattr(printing, "result_console", lambda width=columns: Terminal(width=width))
        print_table(table(), EXPENDABLE)
        shown = " ".join(capsys.readouterr().out.split())
        left_out.append(re.findall("No room for (.*): a file has them", shown))
    wanted = [[], ["note"], ["size, note"], ["count, size, note"]]
    assert [key for key, _ in itertools.groupby(left_out)] == wanted


def test_in_a_file_every_cell_is_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(table(), EXPENDABLE)
    shown = capsys.readouterr().out
    assert all(name in shown for name in NAMES)
    assert "No room" not in shown
