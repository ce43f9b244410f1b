"""Training, validation and test images: stratified by class, groups kept whole."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.csv_files import new_csv, open_csv
from training.data.labels import label_of
from training.data.table import ImageTable, LabelledImage
from training.errors import TrainingError
from training.terminal import few

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")

_FOLDS = 20
_NAMED = 5  # classes in a message
"""Folds that a part is put together from: whole folds, so fractions are met to about 0.03."""

_COLUMNS = ("file", "label", "group", "part")
_SOURCE = "source"
"""A column that tables without it need not have."""


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
        TrainingError: A class has too few images or groups to stand in every part, or the
            fractions leave a part empty.
    """
    if not (0 < validation < 1 and 0 < test < 1 and validation + test < 1):
        raise TrainingError(
            f"Validation {validation:g} and test {test:g} leave no split of three parts: each "
            "must be above 0, and both together below 1."
        )
    rest, tested = _divide(table.rows, test, seed)
    trained, validated = _divide(rest, validation / (1 - test), seed)
    split = Split(trained, validated, tested)
    _check_every_class(split, table)
    return split


def write_split(split: Split, path: Path) -> None:
    """Write a split as CSV with the columns file, label, group, part, source."""
    with new_csv(path, (*_COLUMNS, _SOURCE)) as add:
        for name in PARTS:
            for row in split.part(name):
                add((row.file, row.label, row.group, name, row.source))


def read_split(path: Path, root: Path | None = None) -> Split:
    """Read a split that ``write_split`` wrote, and hold it to what a split promises.

    Args:
        path: The CSV.
        root: The data folder; where it is given, every file of the split must exist below it.

    Raises:
        TrainingError: The file is missing, empty or not of this form; it names an image twice, a
            part that is none, or an image that is not there; a group stands in two parts, or a
            class is missing from one.
    """
    parts: dict[str, list[LabelledImage]] = {name: [] for name in PARTS}
    for number, row in _read_rows(path):
        if row["part"] not in parts:
            raise TrainingError(
                f"{path}, line {number}: there is no part {row['part']!r}. An image is in one of "
                f"{', '.join(PARTS)}."
            )
        label = label_of(row["label"], f"{path}, line {number}")
        parts[row["part"]].append(
            LabelledImage(row["file"], label, row["group"] or None, row.get(_SOURCE) or "")
        )
    split = Split(*(tuple(parts[name]) for name in PARTS))
    _check_once(split, path)
    _check_groups(split, path)
    _check_parts(split, path)
    if root is not None:
        _check_files(split, path, root)
    return split


def _read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line of the CSV, and its cells."""
    empty = True
    try:
        with open_csv(path) as reader:
            columns = list(reader.fieldnames or ())
            if columns and not set(_COLUMNS) <= set(columns):
                raise TrainingError(
                    f"{path} is no split: it has the columns {few(columns)}; it needs "
                    f"{', '.join(_COLUMNS)}. Make one with `python -m training split`."
                )
            for row in reader:
                empty = False
                if None in row.values() or not row["file"] or not row["label"]:
                    raise TrainingError(
                        f"{path}, line {reader.line_num}: a cell is missing. Each line holds "
                        f"{', '.join(_COLUMNS)}; only the group may be empty."
                    )
                yield reader.line_num, row
    except (OSError, csv.Error) as error:
        raise TrainingError(f"The split in {path} cannot be read: {error}.") from error
    if empty:
        raise TrainingError(
            f"{path} is empty: it names no image. Make a split with `python -m training split`."
        )


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


def _check_groups(split: Split, path: Path) -> None:
    seen: dict[str, str] = {}
    for name in PARTS:
        for row in split.part(name):
            if row.group is not None and seen.setdefault(row.group, name) != name:
                raise TrainingError(
                    f"{path}: the group {row.group!r} stands in the {seen[row.group]} and in the "
                    f"{name} part ({row.file!r} is one of its images). Put the whole group on one "
                    "side, or the figures measure what was trained on."
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


def _check_files(split: Split, path: Path, root: Path) -> None:
    files = [row.file for name in PARTS for row in split.part(name)]
    missing = [file for file in files if not (root / file).is_file()]
    if missing:
        raise TrainingError(
            f"{path} names {len(missing)} of {len(files)} images that are not below {root}, the "
            f"first is {missing[0]!r}. Give the folder the split was made from, or split it anew."
        )


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
    from sklearn.model_selection import train_test_split  # half a second that listing does not need

    try:
        kept, taken = train_test_split(
            range(len(labels)), test_size=fraction, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise _too_few(Counter(labels), fraction) from error
    return kept, taken


def _too_few(counts: Counter[str], fraction: float) -> TrainingError:
    smallest = sorted(counts, key=lambda label: (counts[label], label))
    lacking = [label for label in smallest if counts[label] * fraction < 1] or smallest
    named = ", ".join(f"{label!r} ({counts[label]})" for label in lacking[:_NAMED])
    if len(lacking) == 1:
        who = f"The class {lacking[0]!r} has too few images ({counts[lacking[0]]})"
    else:
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        who = f"{len(lacking)} of {len(counts)} classes have too few images: {named}{more},"
    return TrainingError(
        f"{who} for training, validation and test: each part needs one of every class. Add images, "
        "leave the smallest classes out, or give validation and test a larger share."
    )


def _divide_groups(
    rows: Sequence[LabelledImage], labels: list[str], fraction: float, seed: int
) -> tuple[Iterable[int], Iterable[int]]:
    from sklearn.model_selection import StratifiedGroupKFold

    groups = [row.file if row.group is None else f"group {row.group}" for row in rows]
    large = _large_groups(groups, labels, fraction)
    free = [i for i, group in enumerate(groups) if group not in large]
    labelled = {(labels[i], groups[i]) for i in free}
    fewest = min(Counter(label for label, _ in labelled).values(), default=0)
    count = max(2, min(_FOLDS, fewest))
    wanted = min(max(1, round(fraction * count)), count - 1)
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    try:
        parts = list(folds.split(free, [labels[i] for i in free], [groups[i] for i in free]))
    except ValueError as error:
        raise TrainingError(f"The images cannot be split by group: {error}.") from error
    picked = {free[i] for _, taken in parts[:wanted] for i in taken}
    return [i for i in range(len(rows)) if i not in picked], picked


def _large_groups(groups: list[str], labels: list[str], fraction: float) -> set[str]:
    """Return the groups that would fill more than half of a class's share of a part.

    They stay in training: one clip of near-duplicates would decide the class's figures by itself.
    A class that has little else keeps its groups free.
    """
    sizes: dict[str, Counter[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        sizes.setdefault(label, Counter())[group] += 1
    large: set[str] = set()
    for own in sizes.values():
        total = own.total()
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
