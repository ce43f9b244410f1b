"""Progress: a few plain lines where nobody watches, and one voice for several processes."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from training.output import progress as progress_module
from training.output.progress import progress


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written to a file in place of a terminal."""
    lines = io.StringIO()
    monkeypatch.setattr(progress_module, "console", Console(file=lines, width=200))
    return lines


def test_a_long_step_is_told_in_four_lines(said: io.StringIO) -> None:
    with progress("Reading", 1000) as advance:
        for _ in range(1000):
            advance("")
    quarters = [f"Reading: {n}/1000" for n in (250, 500, 750, 1000)]
    assert said.getvalue().splitlines() == quarters


def test_notes_stand_beside_the_count_and_what_was_done_before_counts(said: io.StringIO) -> None:
    with progress("Stage 1", 3, done=1) as advance:
        advance("loss 0.5")
        advance("loss 0.25")
    assert said.getvalue().splitlines() == ["Stage 1: 2/3 loss 0.5", "Stage 1: 3/3 loss 0.25"]


def test_on_a_terminal_there_is_a_bar_with_the_time_that_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, width=120, force_terminal=True, color_system=None)
    monkeypatch.setattr(progress_module, "console", terminal)
    with progress("Reading", 8) as advance:
        for _ in range(8):
            advance("note")
    last = screen.getvalue().rpartition("Reading")[2]
    assert "8/8" in last
    assert "left" in last
    assert "note" in last


def test_of_several_processes_the_first_one_speaks(
    said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        with progress(f"Process {rank}", 1) as advance:
            advance("")
    assert said.getvalue().splitlines() == ["Process 0: 1/1"]
