"""Results of commands, on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from training.output.terminal import Terminal, json_text

_WIDTH_OF_A_FILE = 10_000  # characters, more than any line has
_NARROWEST = 12  # of a column of folded cells


def print_json(value: Any) -> None:
    """Print a result as JSON; what is no Unicode in a file's name is escaped."""
    print(json_text(value))


def print_table(table: Table, expendable: Sequence[str] = ()) -> None:
    """Print a result as a table that fits the terminal: nothing in it is cut off.

    Cells of columns that are not ``no_wrap`` are folded. Columns that there is no room for are left
    out, and named below.

    Args:
        table: The table; it is changed.
        expendable: Headings of the columns to leave out, the least important one first.
    """
    console, left_out = result_console(), []
    for heading in expendable:
        if _width(table, console, console.width // 3) <= console.width:
            break
        table.columns = [column for column in table.columns if column.header != heading]
        left_out.append(heading)
    if table.title:
        console.print(table.title)
        table.title = None
    # Where that is still too wide, the terminal breaks the lines.
    console.width = max(console.width, _width(table, console, _NARROWEST))
    console.print(table)
    if left_out:
        console.print(f"No room for {', '.join(left_out[::-1])}: a file has them.", style="dim")


def result_console() -> Terminal:
    """Return standard output; where it is no terminal, lines are as long as they need to be."""
    output = Terminal()
    return output if output.is_terminal else Terminal(width=_WIDTH_OF_A_FILE)


def _width(table: Table, console: Console, widest: int) -> int:
    """Return the width that a table needs if no folded cell is wider than that."""
    folded = [column for column in table.columns if not column.no_wrap]
    for column in folded:
        column.max_width = widest
    needed = Measurement.get(console, console.options.update(width=_WIDTH_OF_A_FILE), table)
    for column in folded:
        column.max_width = None
    return needed.maximum
