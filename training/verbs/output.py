"""How verbs speak: messages on standard error, results on standard output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.progress import console

if TYPE_CHECKING:
    from training.evaluate import Evaluation


def say(sentence: str) -> None:
    """Print a message on standard error."""
    console.print(escape(sentence), soft_wrap=True, highlight=False)


def print_json(value: Any) -> None:
    """Print a result as JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(table: Table) -> None:
    """Print a result as a table."""
    Console().print(table)


def print_evaluation(evaluation: Evaluation, title: str) -> None:
    """Print the figures of each class, and the accuracy."""
    table = Table("class", "precision", "recall", "F1", "n", title=title)
    for figures in evaluation.classes:
        table.add_row(
            escape(figures.label),
            *(f"{value:.3f}" for value in (figures.precision, figures.recall, figures.f1)),
            str(figures.n),
        )
    table.add_section()
    table.add_row("accuracy", "", f"{evaluation.accuracy:.3f}", "", str(evaluation.n))
    print_table(table)
