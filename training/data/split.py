"""Training, validation and test images: stratified by class, groups kept whole."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from training.data.table import ImageTable, LabelledImage
from training.errors import TrainingError

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")

_COLUMNS = ("file", "label", "group", "part")


@dataclass(frozen=True)
class Split:
    """Each image of a table in exactly one part.

    Attributes:
        train: What the weights are fitted to.
        validation: What the best epoch is chosen by.
        test: What the reported figures are measured on, and nothing else.
    """

    train: tuple[LabelledImage, ...]
    validation: tuple[LabelledImage, ...]
    test: tuple[LabelledImage, ...]

    def part(self, name: Part) -> tuple[LabelledImage, ...]:
        """Return the images of one part."""
        rows: tuple[LabelledImage, ...] = getattr(self, name)
        return rows


def split_table(table: ImageTable, validation: float, test: float, seed: int) -> Split:
    """Split a table by class and, where rows have groups, by group.

    Args:
        table: All images.
        validation: Fraction of the images for validation, 0…0.5; met as far as groups allow.
        test: Fraction of the images for the test, likewise.
        seed: The same seed gives the same split.

    Raises:
        TrainingError: A class has too few images or groups to stand in every part.
    """
    rest, tested = _divide(table.rows, test, seed)
    trained, validated = _divide(rest, validation / (1 - test), seed)
    split = Split(trained, validated, tested)
    _check_every_class(split, table)
    return split


def write_split(split: Split, path: Path) -> None:
    """Write a split as CSV with the columns file, label, group, part."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for name in PARTS:
            writer.writerows((row.file, row.label, row.group, name) for row in split.part(name))


def read_split(path: Path) -> Split:
    """Read a split that ``write_split`` wrote.

    Raises:
        TrainingError: The file is missing or not of this form.
    """
    parts: dict[str, list[LabelledImage]] = {name: [] for name in PARTS}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                image = LabelledImage(row["file"], row["label"], row["group"] or None)
                parts[row["part"]].append(image)
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise TrainingError(f"The split in {path} cannot be read: {error}.") from error
    return Split(*(tuple(parts[name]) for name in PARTS))


def _divide(
    rows: Sequence[LabelledImage], fraction: float, seed: int
) -> tuple[tuple[LabelledImage, ...], tuple[LabelledImage, ...]]:
    """Return the rows without, and the rows with, about ``fraction`` of each class."""
    labels = [row.label for row in rows]
    if all(row.group is None for row in rows):
        kept, taken = _divide_images(labels, fraction, seed)
    else:
        kept, taken = _divide_groups(rows, labels, fraction, seed)
    return tuple(rows[i] for i in sorted(kept)), tuple(rows[i] for i in sorted(taken))


def _divide_images(
    labels: list[str], fraction: float, seed: int
) -> tuple[Iterable[int], Iterable[int]]:
    try:
        kept, taken = train_test_split(
            range(len(labels)), test_size=fraction, stratify=labels, random_state=seed
        )
    except ValueError as error:
        smallest = min(set(labels), key=labels.count)
        raise TrainingError(
            f"The class {smallest!r} has too few images ({labels.count(smallest)}) for training, "
            f"validation and test. Add images. ({error})"
        ) from error
    return kept, taken


def _divide_groups(
    rows: Sequence[LabelledImage], labels: list[str], fraction: float, seed: int
) -> tuple[Iterable[int], Iterable[int]]:
    groups = [row.file if row.group is None else f"group {row.group}" for row in rows]
    large = _large_groups(groups, labels, fraction)
    free = [i for i, group in enumerate(groups) if group not in large]
    folds = StratifiedGroupKFold(max(2, round(1 / fraction)), shuffle=True, random_state=seed)
    try:
        _, taken = next(folds.split(free, [labels[i] for i in free], [groups[i] for i in free]))
    except ValueError as error:
        raise TrainingError(f"The images cannot be split by group: {error}.") from error
    picked = {free[i] for i in taken}
    return [i for i in range(len(rows)) if i not in picked], picked


def _large_groups(groups: list[str], labels: list[str], fraction: float) -> set[str]:
    """Return the groups that would fill more than half of a class's share of a part.

    They stay in training: one clip of near-duplicates would decide the class's figures by itself.
    A class that has little else keeps its groups free.
    """
    sizes = Counter(zip(labels, groups, strict=True))
    large: set[str] = set()
    for label, total in Counter(labels).items():
        own = {group: n for (other, group), n in sizes.items() if other == label}
        limit = total * fraction / 2
        if sum(n for n in own.values() if n <= limit) >= total / 2:
            large |= {group for group, n in own.items() if n > limit}
    return large


def _check_every_class(split: Split, table: ImageTable) -> None:
    for name in PARTS:
        missing = set(table.labels) - {row.label for row in split.part(name)}
        if missing:
            label = min(missing)
            groups = {row.group or row.file for row in table.rows if row.label == label}
            raise TrainingError(
                f"The class {label!r} is missing from the {name} part: it has "
                f"{table.counts()[label]} images in {len(groups)} groups. Add images or groups of "
                "it, or try another --seed."
            )
