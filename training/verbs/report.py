"""The verb that shows a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.verbs.output import say


def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Where the images lie now, if they moved.", show_default=False),
    ] = None,
) -> None:
    """Draw a run's report.html and plots again, from what the run kept."""
    from training.report.page import write_report

    say(f"Report: {write_report(run, data)}")


def report_finished(run: Path) -> None:
    """Draw the report of a run that has just ended; its failure is not the run's."""
    from training.report.page import write_report

    try:
        say(f"Report: {write_report(run)}")
    except Exception as error:
        # Whatever drawing stumbles over, the model is trained, exported and measured.
        reason = " ".join(str(error).split()) or type(error).__name__
        say(f"There is no report: {reason}")
        say(f"All else is in place. Try again: python -m training report {run}")
