"""Progress on long steps: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from training.output.terminal import Terminal

console = Terminal(stderr=True)
"""The console for progress and messages; results go to standard output."""

Advance = Callable[[str], None]
"""Says that one more step is done, with a note on it or ''."""

SECONDS_BETWEEN_LINES = 60.0
"""Of one step, where there is no terminal."""


def say(sentence: str, heading: str = "", style: str = "", *, is_command: bool = False) -> None:
    """Print a message on standard error, on one line where that is no terminal.

    A terminal breaks it between words, but leaves a command in one piece, to be copied.

    Args:
        sentence: The message.
        heading: A word before it, such as ``Error:``.
        style: rich's style of the heading, such as ``red``.
        is_command: Whether it is a command other than ``python -m …``, which is seen by itself.
    """
    whole = not console.is_terminal or is_command or "python -m" in sentence
    console.print(*([Text(heading, style)] if heading else []), sentence, soft_wrap=whole)


def tell(sentence: str) -> None:
    """Print a message; of several processes that torchrun started, the first one does."""
    if _is_first():
        say(sentence)


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def progress(title: str, steps: int | None, done: int = 0) -> Iterator[Advance]:
    """Show the progress of ``steps`` steps, each reported by a call of the yielded function.

    Of several processes that torchrun started, the first one shows it. Messages that are printed
    meanwhile stand above the bar.

    Args:
        title: Name of the work, in a few words.
        steps: Number of steps; None for work that cannot be counted.
        done: Number of steps done before.
    """
    if not _is_first():
        yield lambda _: None
        return
    shown = _bar(title, steps, done) if console.is_terminal else _lines(title, steps, done)
    with shown as advance:
        yield advance


@contextmanager
def _bar(title: str, steps: int | None, done: int) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=None, table_column=Column(ratio=1, max_width=30)),
        _Figures(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, max_width=30)),
    )
    with Progress(*columns, console=console, expand=True) as bar:
        task = bar.add_task(title, total=steps, completed=done, note="")
        yield lambda note: bar.update(task, advance=1, note=note)


class _Figures(ProgressColumn):
    """The steps done, the rate, and the time left; in the end the time that it took."""

    def render(self, task: Task) -> Text:
        took = task.elapsed or 0.0
        return Text(_figures(int(task.completed), task.total, task.speed, took, task.finished))


@contextmanager
def _lines(title: str, steps: int | None, done: int) -> Iterator[Advance]:
    began = said = time.monotonic()
    first = done
    if steps is None:
        say(title)

    def advance(note: str) -> None:
        nonlocal done, said
        done += 1
        now = time.monotonic()
        is_over = done == steps
        if is_over or now - said >= SECONDS_BETWEEN_LINES:
            said, took = now, now - began
            speed = (done - first) / took if took else None
            line = f"{title}: {_figures(done, steps, speed, took, is_over)} {note}"
            say(line.rstrip())

    yield advance


def _figures(
    done: int, steps: float | None, speed: float | None, took: float, is_over: bool
) -> str:
    """Return ``5,120/20,000  105/s  2:22 left``, or in the end ``20,000 in 3:10``."""
    if steps is None:
        return _clock(took)
    if is_over:
        return f"{done:,} in {_clock(took)}"
    counted = f"{done:,}/{int(steps):,}"
    if not speed:
        return counted
    rate = f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.2g}/s"
    return f"{counted}  {rate}  {_clock((steps - done) / speed)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
