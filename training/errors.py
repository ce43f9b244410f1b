"""What goes wrong in training through the user's data, arguments or files."""

from __future__ import annotations


class TrainingError(Exception):
    """A mistake that the user can mend; the command line shows it as one line and exits with 2.

    The message says what happened, where, and what to do.
    """


class InterruptedRunError(TrainingError):
    """Ctrl-C; the message says how to go on. The command line exits with 130."""
