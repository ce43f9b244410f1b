"""The split into training, validation and test images, and its CSV."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.labels import label_of
from training.data.parts import PARTS as PARTS
from training.data.parts import Part as Part
from training.data.table import LabelledImage
from training.errors import TrainingError
from training.files.csv_files import new_csv
from training.files.texts import CsvRow, read_csv
from training.output.terminal import few

_COLUMNS = ("file", "label", "group", "part")
_SOURCE = "source"  # an optional column


@dataclass(frozen=True)
class Split:
    """Each image of a table in exactly one part.

    Attributes:
        train: The weights are fitted to these.
        validation: The best epoch is chosen by these.
        test: The reported figures are measured on these, and nothing else is.
    """

    train: tuple[LabelledImage, ...]
    validation: tuple[LabelledImage, ...]
    test: tuple[LabelledImage, ...]

    def part(self, name: Part) -> tuple[LabelledImage, ...]:
        """Return the images of one part."""
        rows: tuple[LabelledImage, ...] = getattr(self, name)
        return rows


def write_split(split: Split, path: Path) -> None:
    """Write a split as CSV with the columns file, label, group, part, source."""
    with new_csv(path, (*_COLUMNS, _SOURCE)) as add:
        for name in PARTS:
            for row in split.part(name):
                add((row.file, row.label, row.group, name, row.source))


def read_split(path: Path, root: Path | None = None, spell: Callable[[str], str] = str) -> Split:
    """Read a split that ``write_split`` wrote, and check it.

    If ``root`` is given, every file must exist below it. ``spell`` returns the name of a file or
    class as it is spelled on this system.

    Raises:
        TrainingError: The file is missing, empty or not of this form; it names an image twice, an
            unknown part, or an image that is not there; a group is in two parts, or a class is
            missing from one.
    """
    parts: dict[str, list[LabelledImage]] = {name: [] for name in PARTS}
    for row in _read_rows(path):
        cells = row.cells
        part = cells["part"].strip().casefold()
        if part not in parts:
            raise TrainingError(
                f"{path}, line {row.line}: there is no part {cells['part']!r}. An image is in one "
                f"of {', '.join(PARTS)}."
            )
        parts[part].append(
            LabelledImage(
                spell(cells["file"]),
                label_of(spell(cells["label"]), f"{path}, line {row.line}"),
                cells["group"].strip() or None,
                cells.get(_SOURCE, "").strip(),
            )
        )
    split = Split(*(tuple(parts[name]) for name in PARTS))
    _check_once(split, path)
    check_groups(split, path)
    _check_parts(split, path)
    if root is not None:
        _check_files(split, path, root)
    return split


def _read_rows(path: Path) -> Sequence[CsvRow]:
    """Return the rows of the CSV; each has the needed cells."""
    try:
        table = read_csv(path, _COLUMNS)
    except (OSError, ValueError, csv.Error) as error:
        raise TrainingError(f"The split in {path} cannot be read: {error}.") from error
    if table.columns and not set(_COLUMNS) <= set(table.columns):
        raise TrainingError(
            f"{path} is no split: it has the columns {few(table.columns)}; it needs "
            f"{', '.join(_COLUMNS)}. Make one with `python -m training split`."
        )
    if not table.rows:
        raise TrainingError(
            f"{path} is empty: it names no image. Make a split with `python -m training split`."
        )
    for row in table.rows:
        if not set(_COLUMNS) <= set(row.cells) or not row.cells["file"] or not row.cells["label"]:
            raise TrainingError(
                f"{path}, line {row.line}: a cell is missing. Each line holds "
                f"{', '.join(_COLUMNS)}; only the group may be empty."
            )
    return table.rows


def _check_once(split: Split, path: Path) -> None:
    seen: dict[str, str] = {}
    for name in PARTS:
        for row in split.part(name):
            if row.file in seen:
                raise TrainingError(
                    f"{path} names the image {row.file!r} twice, in the {seen[row.file]} and in "
                    f"the {name} part. Keep one of the two lines."
                )
            seen[row.file] = name


def check_groups(split: Split, where: Path) -> None:
    """Check that each group is in one part; ``where`` is the CSV or folder, for the message.

    Raises:
        TrainingError: It names the first group, its two parts and one of its images.
    """
    seen: dict[str, str] = {}
    torn: dict[str, tuple[str, str, str]] = {}
    for name in PARTS:
        for row in split.part(name):
            if row.group is not None and (first := seen.setdefault(row.group, name)) != name:
                torn.setdefault(row.group, (first, name, row.file))
    if torn:
        group, (first, second, file) = next(iter(torn.items()))
        more = f" (and {len(torn) - 1} more groups)" if len(torn) > 1 else ""
        raise TrainingError(
            f"{where}: the group {group!r}{more} stands in the {first} and in the {second} part "
            f"({file!r} is one of its images). Put the whole group on one side, or the figures "
            "measure what was trained on."
        )


def _check_parts(split: Split, path: Path) -> None:
    labels = {row.label for name in PARTS for row in split.part(name)}
    for name in PARTS:
        missing = sorted(labels - {row.label for row in split.part(name)})
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise TrainingError(
                f"{path}: the class {missing[0]!r}{more} is missing from the {name} part. Every "
                "part needs images of every class."
            )


def _is_below(file: str, root: Path) -> bool:
    """Return whether a name is that of a file below a folder, and leads nowhere else."""
    is_plain = not file.startswith("/") and ".." not in file.split("/")
    return is_plain and os.path.isfile(root / file)  # noqa: PTH113


def _check_files(split: Split, path: Path, root: Path) -> None:
    files = [row.file for name in PARTS for row in split.part(name)]
    missing = [file for file in files if not _is_below(file, root)]
    if missing:
        raise TrainingError(
            f"{path} names {len(missing)} of {len(files)} images that are not below {root}, the "
            f"first is {missing[0]!r}. Give the folder the split was made from, or split it again."
        )
