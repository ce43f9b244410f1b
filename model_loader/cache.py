"""A folder of downloads that the processes of one user share.

A process that downloads or loads a file holds a lock on it; locked files are not deleted to make
room. A file that a process has opened or mapped stays readable to it after that.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from model_loader.errors import ModelUnavailableError
from model_loader.metadata import FileInfo
from model_loader.store import info_of


def own_folder() -> Path:
    """Return a folder below the temporary one that only this user can write to.

    Raises:
        OSError: It cannot be made.
        ModelUnavailableError: Another user made it, or may write to it.
    """
    folder = Path(tempfile.gettempdir()) / f"model_loader-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not is_own or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ModelUnavailableError(
            f"{folder} is not this user's own: somebody else made it, or may write to it. "
            "Remove it, or set TMPDIR to another folder."
        )
    return folder


def begin(folder: Path) -> tuple[BinaryIO, Path]:
    """Make a temporary file, and lock it before another process takes it for an abandoned one."""
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=".partial-")
        file = os.fdopen(handle, "wb")
        _hold(file)
        if os.fstat(handle).st_nlink:
            return file, Path(name)
        file.close()


def find(path: Path, info: FileInfo) -> BinaryIO | None:
    """Open and lock a cached file; None where there is none, or one that ``info`` does not fit."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    _hold(file)
    if info_of(file) == info and os.fstat(file.fileno()).st_nlink:
        return file
    file.close()
    return None


def keep(file: BinaryIO, temporary: Path, path: Path, info: FileInfo) -> BinaryIO:
    """Rename a finished temporary file; return it, or the file another process put there first.

    A finished file is never replaced: a process may be about to load it.
    """
    with _alone(path.parent):
        other = find(path, info)
        if other is None:
            temporary.replace(path)
            return file
    file.close()
    temporary.unlink()
    return other


def make_room(folder: Path, size: int) -> None:
    """Delete the oldest unlocked files until ``size`` bytes are free."""
    import fcntl

    ages: dict[Path, float] = {}
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process was faster
            ages[path] = path.stat().st_mtime
    for path in sorted(ages, key=ages.__getitem__):
        if shutil.disk_usage(folder).free >= size:
            return
        with suppress(OSError), _alone(folder), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time rename or delete files of a folder."""
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _hold(file: BinaryIO) -> None:
    import fcntl

    with suppress(OSError):  # no locks here, as on some network shares
        fcntl.flock(file, fcntl.LOCK_SH)
