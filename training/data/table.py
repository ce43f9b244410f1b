"""A folder of labelled images, as a table: one row an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from training.data.labels import labels_of
from training.data.layout import find_class_folders
from training.data.parts import PARTS, Part
from training.data.tiny_imagenet import check_tiny_imagenet, is_tiny_imagenet
from training.data.walk import LeftOut, class_folders, walk_files, walk_images
from training.errors import TrainingError

Walk = Callable[[Path, LeftOut, str], Iterator[str]]
"""Yields the files below a folder; see ``walk.walk_files``."""


@dataclass(frozen=True, slots=True)  # there may be a million
class LabelledImage:
    """One image.

    Attributes:
        file: Path below the table's root, with '/' as separator.
        label: The class name.
        group: Images of one group stay in one part of a split; None for an image on its own.
        source: The origin, for figures of each source; empty if unknown.
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
        parts: The part of each file, if the folder is split already; else empty.
        left_out: The entries below the folder that are no row.
    """

    root: Path
    labels: tuple[str, ...]
    rows: tuple[LabelledImage, ...]
    parts: Mapping[str, Part] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class."""
        found = Counter(row.label for row in self.rows)
        return {label: found[label] for label in self.labels}

    def part(self, name: Part) -> tuple[LabelledImage, ...]:
        """Return the images of a part of the folder that is split already."""
        return tuple(row for row in self.rows if self.parts.get(row.file) == name)

    def to_measure(self) -> tuple[LabelledImage, ...]:
        """Return the images to measure on: all, or a split folder's test (or validation) part."""
        if not self.parts:
            return self.rows
        return next(part for name in reversed(PARTS) if (part := self.part(name)))


def read_folder(root: Path) -> ImageTable:
    """Read ``root/<class>/…/<image>``; the folders' names are the classes.

    A folder that is split already is read by its parts, ``root/<part>/<class>/…/<image>`` (see
    ``layout``), and one in Tiny ImageNet's layout by its lists. Folders and images may be symbolic
    links; hidden ones (``.git``, ``._1.jpg``) are passed over.

    Raises:
        TrainingError: There is no such folder, fewer than two classes, or a class without images,
            or the folder is split in a way that cannot be used.
    """
    table = list_folder(root, walk_images)
    _check_classes(table)
    return table


def list_folder(root: Path, walk: Walk = walk_files) -> ImageTable:
    """Return the files in a folder's class folders, without a check of the classes.

    Args:
        root: The folder.
        walk: ``walk_files`` for every file, ``walk_images`` for those named as images.

    Raises:
        TrainingError: There is no such folder, its split cannot be used, or a class name cannot.
    """
    left_out = LeftOut()
    folders = find_class_folders(root, left_out)
    labels = labels_of((folder.label for folder in folders), str(root))
    rows = []
    parts: dict[str, Part] = {}
    for folder in folders:
        for name in walk(root / folder.path, left_out, f"{folder.path}/"):
            file = f"{folder.path}/{name}"
            rows.append(LabelledImage(file, labels[folder.label]))
            if folder.part:
                parts[file] = folder.part
    rows.sort(key=lambda row: (row.label, row.file) if parts else (row.label,))
    return ImageTable(root, tuple(sorted(labels.values())), tuple(rows), parts, left_out)


def _check_classes(table: ImageTable) -> None:
    root, labels = table.root, table.labels
    if not table.rows:
        raise TrainingError(
            f"{root} has no images in class folders. Put them as {root}/<class name>/<image>.jpg."
        )
    if is_tiny_imagenet(root):
        train, held = (
            Counter(row.label for row in table.part(part)) for part in ("train", "validation")
        )
        check_tiny_imagenet(root, train, held)
    if len(labels) < 2:
        below = root / labels[0]
        inner = len(class_folders(below)) > 1 if below.is_dir() else False
        advice = f", or give --data {below}, if its folders are the classes" if inner else ""
        raise TrainingError(
            f"{root} has one class only, {labels[0]!r}. A classifier needs at least two: one "
            f"folder for each class{advice}."
        )
    empty = sorted(set(labels) - {row.label for row in table.rows})
    if empty:
        raise TrainingError(
            f"The class folder {root / empty[0]} has no images. Add some, or remove the folder."
        )
