"""The files below a folder of class folders, in a fixed order, symbolic links followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def class_folders(root: Path) -> list[Path]:
    """Return the folders directly below ``root``, hidden ones left out, by name."""
    return sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")


def walk_files(folder: Path) -> Iterator[str]:
    """Yield the files below a folder, ordered by their path's parts; hidden names are left out.

    What is yielded is the path below ``folder``, with ``/`` between its parts. (No ``Path``: ten
    thousand take longer to make than to find.)

    Links to folders are followed, but a link that leads back to a folder above it is not. Links
    to nothing, and folders that vanish on the way, are passed over.
    """
    yield from _walk(str(folder), "", frozenset())


def _walk(folder: str, prefix: str, above: frozenset[str]) -> Iterator[str]:
    here = os.path.realpath(folder)
    if here in above:
        return
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry.path, f"{prefix}{entry.name}/", above | {here})
        elif entry.is_file():
            yield prefix + entry.name
