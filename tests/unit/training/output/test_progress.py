"""Progress: a bar on a terminal, a line a minute elsewhere, one voice for several processes."""

from __future__ import annotations

import io
import re
import time

import pyte
import pytest
from rich.console import Console

from training.output import progress as progress_module
from training.output.progress import progress, tell
from training.output.terminal import Terminal


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of progress."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written to a file in place of a terminal."""
    lines = io.StringIO()
    monkeypatch.setattr(progress_module, "console", Console(file=lines, width=200))
    return lines


def on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> io.StringIO:
    """Write what follows to a terminal of so many columns."""
    written = io.StringIO()
    terminal = Terminal(file=written, width=columns, height=24, force_terminal=True)
    monkeypatch.setattr(progress_module, "console", terminal)
    return written


def seen(written: io.StringIO, columns: int) -> list[str]:
    """Return the lines that a person sees then."""
    screen = pyte.Screen(columns, 24)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed(written.getvalue())
    return [line.rstrip() for line in screen.display if line.strip()]


def test_a_log_has_a_line_a_minute_and_one_in_the_end(said: io.StringIO, clock: Clock) -> None:
    with progress("Reading", 20_000) as advance:
        for _ in range(20_000):
            clock.now += 0.0078125
            advance("")
    assert said.getvalue().splitlines() == [
        "Reading: 7,680/20,000  128/s  1:36 left",
        "Reading: 15,360/20,000  128/s  0:36 left",
        "Reading: 20,000 in 2:36",
    ]


def test_a_log_says_slow_steps_by_their_rate_and_hours(said: io.StringIO, clock: Clock) -> None:
    with progress("Stage 1", 101, done=1) as advance:
        for _ in range(2):
            clock.now += 100
            advance("")
    lines = said.getvalue().splitlines()
    assert lines == ["Stage 1: 2/101  0.01/s  2:45:00 left", "Stage 1: 3/101  0.01/s  2:43:20 left"]


def test_work_that_cannot_be_counted_is_named_when_it_begins(said: io.StringIO) -> None:
    with progress("Exporting", None):
        assert said.getvalue() == "Exporting\n"
    assert said.getvalue() == "Exporting\n"


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_has_a_bar_with_rate_and_time_left_and_messages_above_it(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    written = on_terminal(monkeypatch, columns)
    title = "Stage 12, last 3 blocks, 224 px"
    said = "Epoch 1/10: loss 0.512, validation loss 0.634, accuracy 83.1%, 120 images/s"
    with progress(title, 20_000) as advance:
        for _ in range(5_000):
            advance("")
        time.sleep(1.1)  # the rate is taken from steps of the last second
        advance("")
        tell(said)
        time.sleep(0.3)  # the bar is drawn ten times a second
        first, bar = seen(written, columns)
    assert first == said
    assert re.fullmatch(rf"{title} ━+╸? ?━* +5,001/20,000  [\d,]+/s  \d:\d\d left", bar), bar
    with progress("Exporting", None):
        time.sleep(0.3)
        assert re.fullmatch(r"Exporting +━+ +0:0\d", seen(written, columns)[-1])


@pytest.mark.parametrize("columns", [80, 120])
def test_in_the_end_a_terminal_says_how_long_it_took(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    written = on_terminal(monkeypatch, columns)
    with progress("Reading", 8) as advance:
        for _ in range(8):
            advance("note")
    (line,) = seen(written, columns)
    assert re.fullmatch(r"Reading ━+ 8 in 0:00 note", line), line


def test_of_several_processes_the_first_one_speaks(
    said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        with progress(f"Process {rank}", 1) as advance:
            advance("")
    assert said.getvalue().splitlines() == ["Process 0: 1 in 0:00"]
