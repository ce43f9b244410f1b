"""What is in the image files: each one's digest, and those that cannot be used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.text import Text

from training.data.headers import read_header
from training.data.table import LabelledImage
from training.errors import TrainingError
from training.output.progress import console, progress
from training.parallel import in_order

MOST_SKIPPED = 0.05
"""The share of the images that may be skipped; with more, something is wrong with the data."""

_LINES = 20
"""Skipped images that are named in a line of their own."""

_AHEAD = 4
"""Results that wait for their turn, for each thread."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Content:
    """What one file holds.

    Attributes:
        sha256: Of its bytes, in hexadecimal digits.
        width: Pixels of the upright picture as its header promises them; 0 where it is damaged.
        height: Likewise.
    """

    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class SkippedImage:
    """An image that cannot be used.

    Attributes:
        file: Its path below the data folder.
        reason: A sentence.
    """

    file: str
    reason: str


class Skips:
    """The images of one run that are skipped: each is named once, and too many are an error."""

    def __init__(self, total: int) -> None:
        """Begin with none; ``total`` is the number of images of the whole table."""
        self._total = total
        self._found: dict[str, SkippedImage] = {}

    @property
    def images(self) -> tuple[SkippedImage, ...]:
        """Those that were added so far, in order."""
        return tuple(self._found.values())

    def add(self, file: str, reason: str) -> None:
        """Note an image and print a warning line, unless it was noted before."""
        if file in self._found:
            return
        self._found[file] = SkippedImage(file, reason)
        if len(self._found) <= _LINES:
            console.print(Text("Skipped", "yellow"), f"{file}: {reason}", soft_wrap=True)
        elif len(self._found) == _LINES + 1:
            console.print(Text("Skipped", "yellow"), "more; the report names them")

    def check(self) -> None:
        """Raise if more than ``MOST_SKIPPED`` of all images were noted.

        Raises:
            TrainingError: It says how many, and names the first.
        """
        if len(self._found) > MOST_SKIPPED * self._total:
            first = self.images[0]
            raise TrainingError(
                f"{len(self._found)} of {self._total} images cannot be used, more than "
                f"{MOST_SKIPPED:.0%}; the first is {first.file!r}: {first.reason} Mend or remove "
                "them; `python -m training clean` finds them all."
            )


def read_contents(
    root: Path, rows: Sequence[LabelledImage], title: str, skips: Skips
) -> dict[str, Content]:
    """Read every file once, for its digest; one that cannot be read is skipped.

    Returns:
        What each file holds, by its path below ``root``; those that were skipped are left out.

    Raises:
        TrainingError: Too many cannot be read.
    """

    def read(row: LabelledImage) -> Content | str:
        try:
            digest = sha256(root / row.file)
        except OSError as error:
            return unreadable(error)
        header = read_header(root, row)
        return Content(digest, header.width, header.height)

    found = {}
    with progress(title, len(rows)) as advance:
        for row, content in zip(rows, in_threads(read, rows), strict=True):
            if isinstance(content, str):
                skips.add(row.file, content)
            else:
                found[row.file] = content
            advance("")
    skips.check()
    return found


def fingerprint(rows: Iterable[LabelledImage], contents: Mapping[str, Content]) -> str:
    """Return a sha256 over every image's name, label and bytes, without reading them again.

    Images that were skipped are left out.
    """
    digest = hashlib.sha256()
    for row in rows:
        if row.file in contents:
            line = f"{row.file}\n{row.label}\n{contents[row.file].sha256}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Return the digest of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unreadable(error: OSError) -> str:
    """Say in a sentence why a file cannot be read."""
    if isinstance(error, FileNotFoundError):
        return "it has disappeared."
    return f"it cannot be read ({error.strerror})."


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(
    function: Callable[[_Item], _Result], items: Iterable[_Item], threads: int | None = None
) -> Iterator[_Result]:
    """Yield ``function`` of each item, in order, computed by a thread for each core.

    Only a few results are computed ahead, so that what is large does not pile up. Pillow lets go
    of Python's lock while it decodes and resizes: 1,327 images of at most 512 pixels a side were
    decoded and resized to 512 × 512 in 2.6–3.1 s by one thread, in 1.5 s by two, and in 2.8–3.1 s
    by a pool of two processes, which have to start and to send the pixels back (two cores of an
    AMD EPYC, two rounds).
    """
    threads = threads or cores()
    with ThreadPoolExecutor(threads) as pool:
        yield from in_order(pool, function, items, _AHEAD * threads)
