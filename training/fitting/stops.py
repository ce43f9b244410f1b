"""What stops a training before its end, in sentences that say how to go on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from training.errors import InterruptedRunError
from training.fitting.checkpoint import Progress
from training.run import Run


def interrupted(run: Run, made: Progress) -> InterruptedRunError:
    """Return the error for Ctrl-C: it says how to resume, if an epoch was finished."""
    if not made.epochs:
        return InterruptedRunError(
            f"Interrupted before an epoch was finished: nothing is kept in {run.folder} to go on "
            "from. Train again."
        )
    return InterruptedRunError(
        f"Interrupted after {len(made.epochs)} epochs, which are kept. {resume_command(run)}"
    )


def resume_command(run: Run) -> str:
    """Return the sentence that says how to go on with a run."""
    return f"Go on with: python -m training train --resume {shlex.quote(str(run.folder))}"


@contextmanager
def resumable(run: Run, made: Progress) -> Iterator[None]:
    """Answer Ctrl-C with how to go on, wherever in a run it comes.

    Raises:
        InterruptedRunError: Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise interrupted(run, made) from error
