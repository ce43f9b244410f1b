"""Progress of uploads: a bar in bytes for each file on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePath

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from training.output import progress
from training.output.terminal import short

Sent = Callable[[int, int], None]
"""Takes the number of bytes sent, and of all bytes."""

_LONGEST_NAME = 24  # characters


class UploadBars:
    """The progress of files that are uploaded at the same time, by several threads."""

    def __init__(self, is_shown: bool = True) -> None:
        """Show nothing yet, or never."""
        self._is_shown = is_shown
        self._lock = threading.Lock()
        self._bars: Progress | None = None

    @contextmanager
    def upload(self, name: str) -> Iterator[Sent]:
        """Show the progress of a file while the block sends it."""
        title = f"Uploading {short(PurePath(name).name, _LONGEST_NAME)}"
        if not self._is_shown:
            yield lambda sent, size: None
        elif progress.console.is_terminal:
            with self._bar(title) as told:
                yield told
        else:
            yield _lines(title)

    @contextmanager
    def _bar(self, title: str) -> Iterator[Sent]:
        with self._lock:
            if self._bars is None:
                self._bars = _start()
            bars = self._bars
            task = bars.add_task(title, total=None)
        try:
            yield lambda sent, size: bars.update(task, completed=sent, total=size)
        finally:
            with self._lock:
                bars.remove_task(task)
                if not bars.tasks:
                    bars.stop()
                    self._bars = None


def _start() -> Progress:
    bars = Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=None, table_column=Column(ratio=1, max_width=20)),
        DownloadColumn(table_column=Column(no_wrap=True)),
        TransferSpeedColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        console=progress.console,
        expand=True,
        transient=True,
    )
    bars.start()
    return bars


def _lines(title: str) -> Sent:
    said = time.monotonic()

    def told(sent: int, size: int) -> None:
        nonlocal said
        if time.monotonic() - said >= progress.SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            progress.say(f"{title}: {sent / 1e6:.1f} of {size / 1e6:.1f} MB")

    return told
