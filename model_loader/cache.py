"""Downloads kept in a folder of this user's own, which processes share.

Whoever downloads or loads a file holds a lock on it, and what is locked is not deleted for want of
room. What a process has opened or mapped stays readable to it after that.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from model_loader.errors import ModelUnavailableError
from model_loader.metadata import FileInfo
from model_loader.store import info_of


def own_folder() -> Path:
    """Return a folder in the temporary one that nobody else can write to.

    Raises:
        OSError: It cannot be made.
        ModelUnavailableError: Somebody else made it.
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
    """Make a temporary file, and lock it before anybody takes it for an abandoned one."""
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=".partial-")
        file = os.fdopen(handle, "wb")
        _hold(file)
        if os.fstat(handle).st_nlink:
            return file, Path(name)
        file.close()


def find(path: Path, info: FileInfo) -> BinaryIO | None:
    """Open and lock a file of the cache; None where it is not there, or not what it must be."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    _hold(file)
    if info_of(file) == info and os.fstat(file.fileno()).st_nlink:
        return file
    file.close()
    return None


def make_room(folder: Path, size: int) -> None:
    """Remove the oldest files while there is no room: a swap of versions leaves one behind.

    What another process downloads or is about to load is locked, and stays.
    """
    import fcntl

    ages: dict[Path, float] = {}
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process was faster
            ages[path] = path.stat().st_mtime
    for path in sorted(ages, key=ages.__getitem__):
        if shutil.disk_usage(folder).free >= size:
            return
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _hold(file: BinaryIO) -> None:
    import fcntl

    with suppress(OSError):  # no locks here, as on some network shares
        fcntl.flock(file, fcntl.LOCK_SH)
