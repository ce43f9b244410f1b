"""How verbs speak: messages on standard error, results on standard output."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.progress import console

_WIDTH_OF_A_FILE = 140


def say(sentence: str) -> None:
    """Print a message on standard error."""
    console.print(escape(sentence), soft_wrap=True, highlight=False)


def print_json(value: Any) -> None:
    """Print a result as JSON; what is no Unicode in a file's name is escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    typer.echo(text.encode(errors="backslashreplace").decode())


def print_table(table: Table) -> None:
    """Print a result as a table."""
    result_console().print(table)


def result_console() -> Console:
    """Return standard output; where it is a file, a table is not squeezed into 80 columns."""
    output = Console()
    return output if output.is_terminal else Console(width=_WIDTH_OF_A_FILE)
