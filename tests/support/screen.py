"""A terminal of a given width, and what a person sees on it after a command."""

from __future__ import annotations

import io
import re

import pyte
import pytest

from tests.support.command_line import run
from training.output import progress
from training.output.terminal import Terminal

_LINES = 24
_BAR = re.compile(r"^(\w[\w ,]*?) +[━╸╺].*$", re.MULTILINE)


class _Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on_screen(monkeypatch: pytest.MonkeyPatch, columns: int, *arguments: object) -> str:
    """Run a command that succeeds on a terminal, and return all lines that it left there.

    What a progress bar says of the time is left out.
    """
    terminal = _Terminal()
    with monkeypatch.context() as patch:
        for name, value in (("COLUMNS", columns), ("LINES", _LINES), ("TERM", "xterm-256color")):
            patch.setenv(name, str(value))
        patch.setattr("sys.stdout", terminal)
        patch.setattr("sys.stderr", terminal)
        patch.setattr(progress, "console", Terminal(stderr=True))
        code = run(*arguments)
    screen = pyte.HistoryScreen(columns, _LINES, history=10_000)
    screen.set_mode(pyte.modes.LNM)  # a line feed returns the carriage, as a terminal's driver does
    pyte.Stream(screen).feed(terminal.getvalue())
    above = ["".join(line[x].data for x in range(columns)) for line in screen.history.top]
    text = "\n".join(line.rstrip() for line in (*above, *screen.display)).rstrip() + "\n"
    assert code == 0, text
    return _BAR.sub(r"\1 ━━━━━━━━━━", text)
