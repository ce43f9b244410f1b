"""File locks between processes; the system releases those of a process that ends.

On a file system without locks, as some network shares, everything goes on without them.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(path: Path, waits: Callable[[], None]) -> Iterator[None]:
    """Hold a file's lock within this context, alone of all processes and threads.

    Args:
        path: The file, which is made if it is missing.
        waits: Called before waiting for another holder.

    Raises:
        OSError: The file cannot be made.
    """
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass  # no locks here
        yield


def hold(path: Path, owner: object) -> None:
    """Mark a file as in use as long as ``owner`` lives.

    Raises:
        OSError: There is no such file, or another process is about to remove it.
    """
    handle = os.open(path, os.O_RDONLY)
    weakref.finalize(owner, os.close, handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass  # no locks here
    path.stat()  # it may have been removed just before


def unless_held(path: Path, act: Callable[[], None]) -> bool:
    """Call ``act`` unless a process holds the file; return whether it was called."""
    try:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            act()
            return True
    except OSError:
        return False
