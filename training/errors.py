"""Errors caused by the user's data, arguments or files."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
"""The exit code after Ctrl-C."""

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TrainingError(Exception):
    """A mistake that the user can fix; the command line shows it as one line and exits with 2.

    The message says what happened, where, and what to do.
    """

    def __str__(self) -> str:
        """Return the message alone: PyTorch puts a worker process's stack trace before it."""
        return super().__str__().rsplit(f"{TrainingError.__module__}.TrainingError: ")[-1].strip()


class InterruptedRunError(TrainingError):
    """Ctrl-C or a signal to end; the message says how to go on. The exit code is 128 + signal."""


class Terminated(KeyboardInterrupt):  # noqa: N818  it is what Ctrl-C raises, of another signal
    """SIGTERM or SIGHUP: handled wherever Ctrl-C is."""


@contextmanager
def interruptible(said: str) -> Iterator[None]:
    """Turn KeyboardInterrupt into InterruptedRunError with this message.

    Raises:
        InterruptedRunError: Ctrl-C, SIGTERM or SIGHUP.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedRunError(said) from error


class EndSignals:
    """Raises ``Terminated`` on SIGTERM and SIGHUP: spot instances, Slurm, Kubernetes, a lost ssh.

    A signal that the process was told to ignore, as SIGHUP under nohup, stays ignored.

    Attributes:
        code: The exit code of an interrupted command: 128 + signal.
    """

    def __init__(self) -> None:
        """Note no signal yet: an interruption is Ctrl-C."""
        self.code = INTERRUPTED

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.code == INTERRUPTED:  # `timeout` sends two, and cleaning up must not be interrupted
            self.code = 128 + number
            raise Terminated

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the signals within this context, in the main thread."""
        numbers = [number for number in _ENDING if signal.getsignal(number) == signal.SIG_DFL]
        for number in numbers:
            signal.signal(number, self._end)
        try:
            yield
        finally:
            for number in numbers:
                signal.signal(number, signal.SIG_DFL)


def because(error: OSError, then: str) -> str:
    """Return the end of a sentence on what cannot be written: the reason, and what to do."""
    remedy = "Make room" if error.errno in _FULL else "Make it writable"
    return f": {error.strerror or error}. {remedy}, then {then}"
