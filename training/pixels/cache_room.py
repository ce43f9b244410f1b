"""The size limit of a cache of decoded images: the least recently used make room for new ones."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.files.locks import unless_held

LARGEST_SHARE = 0.5
"""The share of the free disk space that decoded images may take."""

_KEY = re.compile("[0-9a-f]{64}")


def touch(index: Path) -> None:
    """Note that an entry was used now, by its index."""
    with suppress(OSError):  # a cache that may only be read
        os.utime(index)


def make_room(cache: Path, index: str, needed: int) -> None:
    """Drop entries from a cache, the least recently used first, until ``needed`` new bytes fit.

    The bound is ``LARGEST_SHARE`` of the space that would be free without the cache. Entries that a
    running process uses are never dropped, and nothing is if that would not be enough. The file
    ``index`` of an entry tells when it was used.
    """
    entries = _entries(cache, index)
    kept = sum(entry.size for entry in entries)
    bound = LARGEST_SHARE * (shutil.disk_usage(cache).free + kept)
    if needed > bound:
        return
    for entry in sorted(entries, key=lambda entry: entry.used):
        if kept + needed <= bound:
            return
        remove = partial(shutil.rmtree, entry.index.parent, ignore_errors=True)
        if unless_held(entry.index, remove):
            kept -= entry.size


@dataclass(frozen=True)
class _Entry:
    index: Path
    used: float
    size: int


def _entries(cache: Path, index: str) -> list[_Entry]:
    found = []
    for path in cache.glob(f"*/{index}"):
        # A folder that a user chose may hold other things too.
        if _KEY.fullmatch(path.parent.name):
            with suppress(OSError):  # removed meanwhile
                size = sum(file.stat().st_size for file in path.parent.iterdir())
                found.append(_Entry(path, path.stat().st_mtime, size))
    return found
