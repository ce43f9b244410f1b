"""The command line in this process, and what it says of a user's mistake."""

from __future__ import annotations

import sys

import pytest

from training.cli import main

SMALL_RUN = (
    "--weights=flying-objects",
    "--recipe=flying-objects-head",
    "--set=sizing.size=48",
    "--set=stages.0.epochs=1",
    "--no-report",
)
"""Options of `train` for a run of seconds."""

QUICK_RUN = (
    "--weights=none",
    "--recipe=flying-objects-head",
    "--set=model=resnet18",  # exported in half the time
    "--set=sizing.size=48",
    "--set=stages.0.epochs=1",
    "--no-report",
    "--cache=none",
)
"""The same where it does not matter what is learned."""


def run(*arguments: object) -> int:
    """Run a command; return its exit code."""
    try:
        sys.argv = ["training", *map(str, arguments)]
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def mistake(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must fail; return its one line."""
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    last = error.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert "Traceback" not in error
    return last
