"""What goes wrong in training through the user's data, arguments or files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class TrainingError(Exception):
    """A mistake that the user can mend; the command line shows it as one line and exits with 2.

    The message says what happened, where, and what to do.
    """

    def __str__(self) -> str:
        """Return the message alone: PyTorch puts a worker process's stack trace before it."""
        return super().__str__().rsplit(f"{TrainingError.__module__}.TrainingError: ")[-1].strip()


class InterruptedRunError(TrainingError):
    """Ctrl-C; the message says how to go on. The command line exits with 130."""


@contextmanager
def interruptible(said: str) -> Iterator[None]:
    """Answer Ctrl-C with a sentence on what was kept and how to go on.

    Raises:
        InterruptedRunError: Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedRunError(said) from error
