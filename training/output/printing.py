"""Messages on standard error, results on standard output."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from training.output.progress import console
from training.output.terminal import Terminal, json_text

_WIDTH_OF_A_FILE = 140


def say(sentence: str) -> None:
    """Print a message on standard error."""
    console.print(sentence, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a result as JSON; what is no Unicode in a file's name is escaped."""
    print(json_text(value))


def print_table(table: Table) -> None:
    """Print a result as a table."""
    result_console().print(table)


def result_console() -> Terminal:
    """Return standard output; where it is a file, a table is not squeezed into 80 columns."""
    output = Terminal()
    return output if output.is_terminal else Terminal(width=_WIDTH_OF_A_FILE)
