"""The content of image files: digests and sizes, and the files that cannot be used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from training.data.headers import read_header
from training.data.table import LabelledImage
from training.errors import TrainingError
from training.output.progress import console, progress
from training.parallel import in_threads

MOST_SKIPPED = 0.05
"""The share of the images that may be skipped; with more, something is wrong with the data."""

_LINES = 20  # skipped images that are named in a line of their own


@dataclass(frozen=True)
class Content:
    """The content of one file.

    Attributes:
        sha256: The digest of its bytes, in hexadecimal digits.
        width: Pixels of the upright image, by its header; 0 if that is damaged.
        height: Like ``width``.
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
    """The skipped images of a run: each is named once, and too many are an error."""

    def __init__(self, total: int) -> None:
        """Begin with none of ``total`` images."""
        self._total = total
        self._found: dict[str, SkippedImage] = {}

    @property
    def images(self) -> tuple[SkippedImage, ...]:
        """The images so far, in order."""
        return tuple(self._found.values())

    def add(self, file: str, reason: str) -> None:
        """Add an image and print a warning line, unless it was added before."""
        if file in self._found:
            return
        self._found[file] = SkippedImage(file, reason)
        if len(self._found) <= _LINES:
            console.print(Text("Skipped", "yellow"), f"{file}: {reason}", soft_wrap=True)
        elif len(self._found) == _LINES + 1:
            console.print(Text("Skipped", "yellow"), "more; the report names them")

    def check(self) -> None:
        """Check that at most ``MOST_SKIPPED`` of all images were added.

        Raises:
            TrainingError: There are more; it names the first.
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
        The content of each file by its path below ``root``, without skipped ones.

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
    """Return a sha256 over the name, label and bytes of every image that was not skipped."""
    digest = hashlib.sha256()
    for row in rows:
        if row.file in contents:
            line = f"{row.file}\n{row.label}\n{contents[row.file].sha256}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Return the digest of a file's bytes, in hexadecimal digits."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unreadable(error: OSError) -> str:
    """Return the sentence on why a file cannot be read."""
    if isinstance(error, FileNotFoundError):
        return "it has disappeared."
    return f"it cannot be read ({error.strerror})."
