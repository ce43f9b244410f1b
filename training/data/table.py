"""A folder of labelled images, as a table: one row an image."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.csv_files import open_csv
from training.data.labels import labels_of
from training.data.walk import class_folders, walk_files
from training.errors import TrainingError
from training.terminal import few

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Names that end otherwise are no images (notes, tables, ``Thumbs.db``)."""


def is_image_name(name: str) -> bool:
    """Return whether a file's name ends as those of images do."""
    return name.lower().endswith(SUFFIXES)


@dataclass(frozen=True, slots=True)  # there may be a million
class LabelledImage:
    """One image.

    Attributes:
        file: Its path below the table's root, with '/' between the parts.
        label: Its class name.
        group: Images of one group must not be torn apart by a split; None where it stands alone.
        source: Where it comes from, for figures of each source; empty where that is not known.
    """

    file: str
    label: str
    group: str | None = None
    source: str = ""


@dataclass(frozen=True)
class ImageTable:
    """Labelled images below one folder.

    Attributes:
        root: The folder.
        labels: The class names in index order: alphabetical, as the folders are named.
        rows: The images, ordered by class and file name.
    """

    root: Path
    labels: tuple[str, ...]
    rows: tuple[LabelledImage, ...]

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class."""
        found = Counter(row.label for row in self.rows)
        return {label: found[label] for label in self.labels}


def read_folder(root: Path, groups: Path | None = None) -> ImageTable:
    """Read ``root/<class>/…/<image>``; the folders' names are the classes.

    Folders and images may be symbolic links; hidden ones (``.git``, ``._1.jpg``) are passed over.

    Args:
        root: The folder that holds one folder for each class.
        groups: A CSV with the columns ``file`` (path below ``root``) and ``group``; an empty group
            stands for an image of its own. A column ``source`` may come along.

    Raises:
        TrainingError: There is no such folder, fewer than two classes, a class without images, or
            the CSV does not fit.
    """
    if not root.is_dir():
        raise TrainingError(f"There is no folder {root}. Give --data a folder of class folders.")
    folders = class_folders(root)
    named = labels_of((folder.name for folder in folders), str(root))
    rows = [
        LabelledImage(f"{folder.name}/{name}", named[folder.name])
        for folder in sorted(folders, key=lambda folder: named[folder.name])
        for name in walk_files(folder)
        if is_image_name(name)
    ]
    labels = tuple(sorted(named.values()))
    _check_classes(root, labels, rows)
    table = ImageTable(root, labels, tuple(rows))
    return table if groups is None else with_groups(table, groups)


def with_groups(table: ImageTable, groups: Path) -> ImageTable:
    """Give a table's images the groups of a CSV (columns ``file`` and ``group``).

    Raises:
        TrainingError: The CSV cannot be read, or has no row for an image.
    """
    return replace(table, rows=rows_with_groups(table.rows, groups))


def rows_with_groups(rows: Sequence[LabelledImage], path: Path) -> tuple[LabelledImage, ...]:
    """Give images the groups of a CSV, and the sources, where it has a column ``source``.

    Raises:
        TrainingError: The CSV cannot be read, or has no row for an image.
    """
    groups = _read_groups(path)
    missing = [row.file for row in rows if row.file not in groups]
    if missing:
        raise TrainingError(
            f"{path} has no row for {len(missing)} of {len(rows)} images, the first is "
            f"{missing[0]!r}. Its column 'file' must hold paths below the data folder; leave "
            "'group' empty for an image that stands alone."
        )
    return tuple(LabelledImage(row.file, row.label, *groups[row.file]) for row in rows)


def _check_classes(root: Path, labels: tuple[str, ...], rows: list[LabelledImage]) -> None:
    if not rows:
        raise TrainingError(
            f"{root} has no images in class folders. Put them as {root}/<class name>/<image>.jpg."
        )
    if len(labels) < 2:
        raise TrainingError(
            f"{root} has one class only, {labels[0]!r}. A classifier needs at least two: one "
            "folder for each class."
        )
    empty = sorted(set(labels) - {row.label for row in rows})
    if empty:
        raise TrainingError(
            f"The class folder {root / empty[0]} has no images. Add some, or remove the folder."
        )


def _read_groups(path: Path) -> dict[str, tuple[str | None, str]]:
    """Return the group and the source of each file."""
    try:
        with open_csv(path) as reader:
            if not {"file", "group"} <= set(reader.fieldnames or ()):
                raise TrainingError(
                    f"{path} has the columns {few(reader.fieldnames or ()) or '(none)'}; "
                    "it needs 'file' and 'group'."
                )
            return {row["file"]: (row["group"] or None, row.get("source") or "") for row in reader}
    except (OSError, csv.Error) as error:
        raise TrainingError(f"The groups in {path} cannot be read: {error}.") from error
