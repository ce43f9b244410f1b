"""Progress on long steps: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console(stderr=True)
"""Where progress and messages go; standard output is left to results."""

Advance = Callable[[str], None]
"""Says that one more step is done, with a note on it or ''."""

_LINES = 4


@contextmanager
def progress(title: str, steps: int) -> Iterator[Advance]:
    """Show the progress of ``steps`` steps, each reported by a call of the yielded function."""
    shown = _bar(title, steps) if console.is_terminal else _lines(title, steps)
    with shown as advance:
        yield advance


@contextmanager
def _bar(title: str, steps: int) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description:<18}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=steps, note="")
        yield lambda note: bar.update(task, advance=1, note=note)


@contextmanager
def _lines(title: str, steps: int) -> Iterator[Advance]:
    done = 0

    def advance(note: str) -> None:
        nonlocal done
        done += 1
        if done == steps or done * _LINES // steps > (done - 1) * _LINES // steps:
            console.print(f"{title}: {done}/{steps} {note}".rstrip(), highlight=False)

    yield advance
