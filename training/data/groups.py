"""Groups of images that a split must keep together, from a CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.data.table import LabelledImage
from training.data.walk import LeftOut, Reason
from training.errors import TrainingError
from training.files.texts import Spellings, read_csv
from training.output.terminal import few


@dataclass(frozen=True)
class Group:
    """One row of a CSV of groups.

    Attributes:
        name: The group; None for an image on its own.
        source: The origin of the image; empty if unknown.
        line: The line of the CSV.
    """

    name: str | None
    source: str
    line: int


def rows_with_groups(
    rows: Sequence[LabelledImage], path: Path, left_out: LeftOut | None = None
) -> tuple[LabelledImage, ...]:
    """Give images the groups of a CSV, and its sources, if it has a column ``source``.

    Args:
        rows: The images.
        path: A CSV with the columns ``file`` (path below the data folder) and ``group``; an empty
            group is an image on its own.
        left_out: Counts the CSV's rows of other files.

    Raises:
        TrainingError: The CSV cannot be read, has no row for an image, or two different ones.
    """
    by_file = _read_groups(path)
    _check_once(by_file, rows, path)
    groups = Spellings(by_file)
    found = [groups.find(row.file) for row in rows]
    missing = [row.file for row, group in zip(rows, found, strict=True) if group is None]
    if missing:
        raise TrainingError(
            f"{path} has no row for {len(missing)} of {len(rows)} images, the first is "
            f"{missing[0]!r}. Its column 'file' must hold paths below the data folder; leave "
            "'group' empty for an image that stands alone."
        )
    if left_out is not None:
        used = {group.line for group in found if group}
        for file, group in by_file.items():
            if group.line not in used:
                left_out.add(Reason.NO_IMAGE, file)
    return tuple(
        replace(row, group=group.name, source=group.source)
        for row, group in zip(rows, found, strict=True)
        if group
    )


def _read_groups(path: Path) -> dict[str, Group]:
    try:
        table = read_csv(path, ("file", "group"))
    except (OSError, ValueError, csv.Error) as error:
        raise TrainingError(f"The groups in {path} cannot be read: {error}.") from error
    if not {"file", "group"} <= set(table.columns):
        raise TrainingError(
            f"{path} has the columns {few(table.columns) or '(none)'}; it needs 'file' and 'group'."
        )
    groups: dict[str, Group] = {}
    for row in table.rows:
        file = row.cells.get("file")
        if not file:
            continue
        name, source = (row.cells.get(column, "").strip() for column in ("group", "source"))
        group = Group(name or None, source, row.line)
        _check_same(file, groups.setdefault(file, group), group, path)
    return groups


def _check_once(by_file: Mapping[str, Group], rows: Sequence[LabelledImage], path: Path) -> None:
    """Refuse an image that has two groups, under two spellings of its name."""
    images = Spellings({row.file: row.file for row in rows})
    seen: dict[str, Group] = {}
    for file, group in by_file.items():
        if image := images.find(file):
            _check_same(image, seen.setdefault(image, group), group, path)


def _check_same(file: str, earlier: Group, group: Group, path: Path) -> None:
    if (earlier.name, earlier.source) != (group.name, group.source):
        raise TrainingError(
            f"{path} names {file!r} twice, in line {earlier.line} with the group "
            f"{earlier.name or ''!r} and in line {group.line} with {group.name or ''!r}. Keep "
            "one of the two lines."
        )
