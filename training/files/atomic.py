"""Files and folders that are written whole or not at all.

Each is written under a hidden name beside its place and renamed when it is complete. What a failed
write leaves is removed at once; what a killed process left, by the next one that writes there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STALE = 24 * 3600
# Seconds after which a folder is taken for a leftover where the file system has no locks.


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; the file takes the place of ``path`` at the end.

    What is no file, ``/dev/stdout`` say, is written to directly.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)  # what a killed process left
        yield partial
        partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


class HiddenFolder:
    """A new hidden folder, locked as long as its process lives.

    Attributes:
        path: The folder.
    """

    def __init__(self, parent: Path, prefix: str) -> None:
        """Remove the folders of this prefix that no process holds, and make one.

        Raises:
            OSError: It cannot be made.
        """
        remove_stale(parent, prefix)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            with suppress(FileNotFoundError):  # taken for a leftover before it was locked
                self._handle = os.open(self.path, os.O_RDONLY)
                with suppress(OSError):  # no locks here
                    fcntl.flock(self._handle, fcntl.LOCK_SH)
                if self.path.exists():
                    return
                os.close(self._handle)

    def remove(self) -> None:
        """Remove what is left of it."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # removed before
            os.close(self._handle)


@contextmanager
def hidden_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a new hidden folder; what was not moved out of it is removed at the end."""
    folder = HiddenFolder(parent, prefix)
    try:
        yield folder.path
    finally:
        folder.remove()


def remove_stale(parent: Path, prefix: str) -> None:
    """Remove the hidden folders of a prefix whose processes were killed."""
    for left in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # somebody else removes it
            if _is_stale(left):
                shutil.rmtree(left, ignore_errors=True)


def replace_folder(folder: Path, target: Path) -> None:
    """Put a complete folder in the place of another one, which is kept until that is done."""
    aside = folder.with_name(f"{folder.name}.replaced")
    if target.exists():
        target.rename(aside)
    try:
        folder.rename(target)
    except BaseException:
        if aside.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _is_stale(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:  # no locks here
        return folder.stat().st_mtime < time.time() - _STALE
    finally:
        os.close(handle)
