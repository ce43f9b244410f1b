"""Progress on long steps: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from training.output.terminal import Terminal

console = Terminal(stderr=True)
"""The console for progress and messages; results go to standard output."""

Advance = Callable[[str], None]
"""Says that one more step is done, with a note on it or ''."""

_LINES = 4


def say(sentence: str, heading: str = "", style: str = "") -> None:
    """Print a message on standard error, on one line where that is no terminal.

    A terminal breaks it between words, but leaves a command in one piece, to be copied.

    Args:
        sentence: The message.
        heading: A word before it, such as ``Error:``.
        style: rich's style of the heading, such as ``red``.
    """
    whole = not console.is_terminal or "python -m" in sentence
    console.print(*([Text(heading, style)] if heading else []), sentence, soft_wrap=whole)


def tell(sentence: str) -> None:
    """Print a message; of several processes that torchrun started, the first one does."""
    if _is_first():
        say(sentence)


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def progress(title: str, steps: int, done: int = 0) -> Iterator[Advance]:
    """Show the progress of ``steps`` steps, each reported by a call of the yielded function.

    Of several processes that torchrun started, the first one shows it.

    Args:
        title: Name of the work, in a few words.
        steps: Number of steps.
        done: Number of steps done before.
    """
    if not _is_first():
        yield lambda _: None
        return
    shown = _bar(title, steps, done) if console.is_terminal else _lines(title, steps, done)
    with shown as advance:
        yield advance


@contextmanager
def _bar(title: str, steps: int, done: int) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=20)),
        BarColumn(bar_width=20),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("left", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[note]}", table_column=Column(ratio=1, no_wrap=True)),
    )
    with Progress(*columns, console=console, expand=True) as bar:
        task = bar.add_task(title, total=steps, completed=done, note="")
        yield lambda note: bar.update(task, advance=1, note=note)


@contextmanager
def _lines(title: str, steps: int, done: int) -> Iterator[Advance]:
    def advance(note: str) -> None:
        nonlocal done
        done += 1
        if done == steps or done * _LINES // steps > (done - 1) * _LINES // steps:
            line = f"{title}: {done}/{steps} {note}".rstrip()
            say(line)

    yield advance
