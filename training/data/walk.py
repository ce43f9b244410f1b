"""The files below a folder, in a fixed order, links followed; skipped entries are counted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from model_loader.image.formats import format_of
from training.data.suffixes import is_image_name
from training.errors import TrainingError

_BEGINNING = 12  # bytes of a file that tell its format
_Identity = tuple[int, int]


class Reason(Enum):
    """Why an entry of a folder is left out; the value is (one, several) of them."""

    OUTSIDE = "image outside the class folders", "images outside the class folders"
    UNLABELLED = "image without a label", "images without a label"
    MISNAMED = "image without an image's suffix", "images without an image's suffix"
    OTHER = "file that is not named as an image", "files that are not named as images"
    HIDDEN = "hidden file or folder", "hidden files or folders"
    EMPTY = "empty folder", "empty folders"
    BROKEN = "link that leads nowhere", "links that lead nowhere"
    AGAIN = "link to a folder that is read already", "links to folders that are read already"
    SPECIAL = "pipe, socket or device", "pipes, sockets or devices"
    UNSPLIT = "image that the split does not name", "images that the split does not name"
    NO_IMAGE = "row of the groups without an image", "rows of the groups without an image"
    UNREADABLE = "folder that cannot be read", "folders that cannot be read"


@dataclass
class LeftOut:
    """The entries of a folder that were left out.

    Attributes:
        counts: The number of entries by reason.
        first: The first of them by reason, as a path below the folder.
    """

    counts: dict[Reason, int] = field(default_factory=dict)
    first: dict[Reason, str] = field(default_factory=dict)

    def add(self, reason: Reason, path: str) -> None:
        """Count an entry."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.first.setdefault(reason, path)

    def to_json(self) -> dict[str, int]:
        """Return the numbers by the reasons' names."""
        return {reason.value[1]: self.counts[reason] for reason in Reason if reason in self.counts}

    def __str__(self) -> str:
        """Return 'Left out: …' in one line; empty if nothing was."""
        parts = []
        for reason in Reason:
            if count := self.counts.get(reason):
                more = ", …" if count > 1 else ""
                shown = f"{count:,} {reason.value[count > 1]} ({self.first[reason]}{more})"
                parts.append(shown)
        said = f"Left out: {'; '.join(parts)}." if parts else ""
        if Reason.MISNAMED in self.counts:
            said += (
                " `python -m training clean FOLDER --set fix_extensions=true --to NEW` gives "
                "images suffixes."
            )
        return said


def class_folders(root: Path, left_out: LeftOut | None = None, below: str = "") -> list[Path]:
    """Return the folders directly below ``root``, hidden ones left out, by name.

    Other entries are counted in ``left_out``, with the prefix ``below``: 'train/', say.

    Raises:
        TrainingError: The folder cannot be read.
    """
    ignored = LeftOut() if left_out is None else left_out
    try:
        with os.scandir(root) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        raise TrainingError(f"The folder {root} cannot be read: {error.strerror}.") from error
    above = {*_above(root), _identity(root)}
    folders = []
    for entry in entries:
        if _is_folder(entry, below, ignored):
            if entry.is_symlink() and _identity(entry.path) in above:
                ignored.add(Reason.AGAIN, below + entry.name)
            else:
                folders.append(root / entry.name)
    return folders


def loose_files(root: Path) -> list[str]:
    """Return the names of the files directly below a folder, hidden ones left out."""
    with os.scandir(root) as scanned:
        return sorted(
            entry.name
            for entry in scanned
            if not entry.name.startswith(".") and os.path.isfile(entry.path)  # noqa: PTH113
        )


def is_special(path: Path) -> bool:
    """Return whether a path outside ``/dev`` is a pipe, a socket or a device.

    The shell puts the pipes of its own (``<(command)``) below ``/dev``; somebody writes into them.
    """
    kinds = stat.S_ISFIFO, stat.S_ISSOCK, stat.S_ISCHR, stat.S_ISBLK
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return path.parts[:2] != ("/", "dev") and any(kind(mode) for kind in kinds)


def walk_files(folder: Path, left_out: LeftOut | None = None, below: str = "") -> Iterator[str]:
    """Yield the files below a folder, ordered by their path's parts; hidden names are left out.

    A file is a path below ``folder`` with ``/`` as separator: a ``Path`` takes longer to make than
    to find. Links to folders are followed, but no folder is read twice, nor a parent of ``folder``.
    Other entries are counted in ``left_out``, with the prefix ``below``: 'birds/', say.
    """
    ignored = LeftOut() if left_out is None else left_out
    seen = _above(folder)
    pending = [_scan(str(folder), "", seen, ignored, below)]
    while pending:
        step = next(pending[-1], None)
        if step is None:
            pending.pop()
        elif step[1]:
            pending.append(_scan(step[1], f"{step[0]}/", seen, ignored, below))
        else:
            yield step[0]


def walk_images(folder: Path, left_out: LeftOut | None = None, below: str = "") -> Iterator[str]:
    """Yield those files of ``walk_files`` that are named as images, and count the others."""
    for name in walk_files(folder, left_out, below):
        if is_image_name(name):
            yield name
        elif left_out is not None:
            left_out.add(_why_not(folder / name), below + name)


def _why_not(path: Path) -> Reason:
    """Return whether a file without an image's suffix is an image by its content, as a reason."""
    try:
        with path.open("rb", buffering=0) as file:
            is_image = format_of(file.read(_BEGINNING)) is not None
    except OSError:
        is_image = False
    return Reason.MISNAMED if is_image else Reason.OTHER


def _above(folder: Path) -> set[_Identity]:
    """Return the folders that a folder lies in, whether by name or by link."""
    parents = {*folder.absolute().parents, *Path(os.path.realpath(folder)).parents}
    return {found for parent in parents if (found := _identity(parent))}


def _identity(folder: str | Path) -> _Identity | None:
    """Return a folder's device and inode; None if it cannot be read."""
    try:
        found = os.stat(folder)  # noqa: PTH116
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _scan(
    folder: str, prefix: str, seen: set[_Identity], left_out: LeftOut, below: str
) -> Iterator[tuple[str, str]]:
    """Yield a folder's entries by name: the path to yield, and for a folder the path to scan."""
    here = _identity(folder)
    name = below + prefix.rstrip("/")
    if here in seen:
        left_out.add(Reason.AGAIN, name)
        return
    if here:
        seen.add(here)
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except FileNotFoundError:
        return  # it vanished on the way
    except OSError:
        left_out.add(Reason.UNREADABLE, name)
        return
    if not entries:
        left_out.add(Reason.EMPTY, name)
    for entry in entries:
        is_folder = _is_folder(entry, below + prefix, left_out)
        if is_folder is not None:
            yield prefix + entry.name, entry.path if is_folder else ""


def _is_folder(entry: os.DirEntry[str], below: str, left_out: LeftOut) -> bool | None:
    """Return whether an entry is a folder, not a file; None, and counted, if it is left out."""
    if entry.name.startswith("."):
        left_out.add(Reason.HIDDEN, below + entry.name)
        return None
    try:
        if entry.is_dir():
            return True
        if entry.is_file():
            return False
        entry.stat()
    except OSError:  # nothing is there, links lead in a circle, or they may not be followed
        left_out.add(Reason.BROKEN, below + entry.name)
    else:
        left_out.add(Reason.SPECIAL, below + entry.name)
    return None
