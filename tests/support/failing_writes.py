"""Something that happens at the moment when a file of a given name is opened to be written."""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

WORDS = {number: os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EACCES)}
"""What a full disk, a used-up quota and a folder that is not ours say."""


@contextmanager
def at_write(name: str, act: Callable[[], object]) -> Iterator[list[Path]]:
    """Leave half a file and do something, whenever a file of this name is opened to be written.

    Args:
        name: Of the file, or of the one that its temporary file takes the place of.
        act: Called before each write; what it raises, the writer meets.

    Yields:
        The paths that were met.
    """
    met: list[Path] = []
    really = io.open

    def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if mode[0] in "wax" and Path(str(file)).name in (name, f".{name}.partial"):
            met.append(Path(file))
            with really(file, "ab") as half:
                half.write(b"half")
            act()
            Path(file).unlink()
        return really(file, mode, *arguments, **options)

    with patch.object(io, "open", opened), patch.object(builtins, "open", opened):
        yield met


@contextmanager
def failing(name: str, number: int) -> Iterator[None]:
    """Let no file of this name be written, for the reason of an ``errno`` number."""

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    with at_write(name, fail) as met:
        yield
    assert met, f"{name} was never written"


def unfinished(folder: Path) -> list[str]:
    """Return what no writer may leave below a folder: half a file, or a hidden folder."""
    return [
        path.name
        for path in folder.rglob(".*")
        if path.name.endswith(".partial") or path.name.startswith((".export-", ".unfinished-"))
    ]
