"""The command that draws the report of a run."""

from __future__ import annotations

import shlex
from pathlib import Path

from training.commands.options import MovedData, Run
from training.errors import InterruptedRunError, interruptible
from training.output.next_step import LOCAL_STORE, say_next
from training.output.progress import say


def report(
    run: Run,
    data: MovedData = None,
) -> None:
    """Draw report.html and the plots of a run again.

    Example: `python -m training report runs/flying-objects/TIME`
    """
    from training.report.page import write_report

    with interruptible(f"Interrupted before the report was drawn. {_again(run)}"):
        say(f"Report: {write_report(run, data)}")
    say_next("publish", run, LOCAL_STORE)


def report_finished(run: Path) -> None:
    """Draw the report of a run that has just ended; its failure is not the run's."""
    from training.report.page import write_report

    try:
        with interruptible(f"Interrupted before the report was drawn. {_in_place(run)}"):
            say(f"Report: {write_report(run)}")
    except InterruptedRunError:
        raise
    except Exception as error:
        # Whatever drawing stumbles over, the model is trained, exported and measured.
        reason = " ".join(str(error).split()) or type(error).__name__
        say(f"There is no report: {reason}")
        say(_in_place(run))


def _in_place(run: Path) -> str:
    return f"All else is in place. {_again(run)}"


def _again(run: Path) -> str:
    return f"Try again: python -m training report {shlex.quote(str(run))}"
