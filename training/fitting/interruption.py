"""Runs that stop early: sentences that say how to go on, and no leftovers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from training.errors import InterruptedRunError, TrainingError, because
from training.fitting.checkpoint import Progress
from training.run import Run


def interrupted(run: Run, progress: Progress) -> InterruptedRunError:
    """Return the error for Ctrl-C: it says how to resume, if an epoch was finished."""
    if not progress.epochs:
        return InterruptedRunError(
            "Interrupted before an epoch was finished: nothing is kept to go on from. Train again."
        )
    return InterruptedRunError(
        f"Interrupted after {len(progress.epochs)} epochs, which are kept. {resume_command(run)}"
    )


def resume_command(run: Run) -> str:
    """Return the sentence that says how to go on with a run."""
    return f"{run.again[0].upper()}{run.again[1:]}"


@contextmanager
def resumable(run: Run, progress: Progress, is_first: bool = True) -> Iterator[None]:
    """Say how to go on, wherever a run is stopped; the first process removes it without an epoch.

    Raises:
        InterruptedRunError: Ctrl-C, SIGTERM or SIGHUP.
        TrainingError: A file cannot be written.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise interrupted(run, progress) from error
    except OSError as error:
        message = f"The run {run.folder} cannot be written{because(error, run.again)}"
        raise TrainingError(message) from error
    except TrainingError as error:
        # An error of the machine, not of the recipe: once it is fixed, the run can go on.
        of_machine = isinstance(error.__cause__, OSError)
        if progress.epochs and of_machine and "python -m" not in str(error):
            raise TrainingError(f"{error} {resume_command(run)}") from error
        raise
    finally:
        if is_first and not progress.epochs and not run.last.exists():
            run.discard()
