"""A user's images, read and split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from training.data.duplicates import equal_files
from training.data.groups import rows_with_groups
from training.data.layout import parts_in_classes
from training.data.parts import PARTS
from training.data.split import Split, check_groups, read_split
from training.data.stratify import (
    check_every_class,
    check_fractions,
    draw_parts,
    missed_shares,
    split_table,
)
from training.data.table import ImageTable, LabelledImage, read_folder
from training.data.tiny_imagenet import is_tiny_imagenet
from training.data.walk import Reason
from training.errors import TrainingError
from training.files.texts import Spellings

_NAMED = 5  # classes in a message


@dataclass(frozen=True)
class DataSource:
    """A folder of images, and how it is split.

    Attributes:
        folder: One folder of images for each class, or a folder that is split already.
        groups: A CSV of groups that a split must not tear apart.
        split: A CSV that the command ``split`` wrote; None for the folder's split, or fractions.
    """

    folder: Path
    groups: Path | None = None
    split: Path | None = None


@dataclass(frozen=True)
class SplitData:
    """A folder as it was read and split.

    Attributes:
        table: The images, and the classes of the split.
        split: Each image in one part.
        notes: Sentences for the user: what was left out, drawn, or not reached.
    """

    table: ImageTable
    split: Split
    notes: tuple[str, ...]


def read_source(source: DataSource, validation: float, test: float, seed: int) -> SplitData:
    """List a folder and split it; only files of equal size are read.

    ``validation`` and ``test`` are fractions of the images, unless the split is given; ``seed``
    seeds the draw.

    Raises:
        TrainingError: The folder, the groups or the split will not do; see the message.
    """
    table = read_folder(source.folder)
    if source.groups is not None:
        rows = rows_with_groups(table.rows, source.groups, table.left_out)
        table = replace(table, rows=rows)
    if source.split is not None:
        found = _by_csv(table, source.split, has_groups=source.groups is not None)
    elif table.parts:
        found = _by_folder(table, validation, test, seed)
    else:
        equal = equal_files(table.root, (row.file for row in table.rows))
        split = split_table(table, validation, test, seed, equal)
        missed = missed_shares(split, validation, test)
        found = SplitData(table, split, (_parts_inside(table), _joined(equal), missed))
    if source.groups is not None:
        check_groups(found.split, source.split or source.folder)
    notes = (*found.notes, str(table.left_out))
    return replace(found, notes=tuple(note for note in notes if note))


def read_split_of(table: ImageTable, path: Path) -> Split:
    """Read a split of a folder's images, whatever system spelled their names.

    Raises:
        TrainingError: As ``read_split`` raises it; or it has a class that the folder has not.
    """
    names = {name: name for name in (*table.labels, *(row.file for row in table.rows))}
    spellings = Spellings(names)
    split = read_split(path, table.root, lambda name: spellings.find(name) or name)
    labels = {row.label for name in PARTS for row in split.part(name)}
    strange = sorted(labels - {*table.labels})
    if strange:
        near = get_close_matches(strange[0], table.labels, 1)
        meant = f"; {near[0]!r} may be meant" if near else ""
        more = f" (and {len(strange) - 1} more)" if len(strange) > 1 else ""
        raise TrainingError(
            f"{path} has the class {strange[0]!r}{more}, but {table.root} has no such class "
            f"folder{meant}. Correct the column 'label', or make a new split with `python -m "
            "training split`."
        )
    return split


def _by_csv(table: ImageTable, path: Path, has_groups: bool) -> SplitData:
    """Split as a CSV says; with ``has_groups``, the table's groups replace those of the CSV."""
    split = read_split_of(table, path)
    by_file = {row.file: row for row in table.rows}
    parts = [split.part(name) for name in PARTS]
    if has_groups:
        parts = [tuple(_grouped(row, by_file) for row in part) for part in parts]
    rows = [row for part in parts for row in part]
    files, labels = {row.file for row in rows}, {row.label for row in rows}
    if len(labels) < 2:
        raise TrainingError(f"{path} has one class only, {min(labels)!r}. It needs at least two.")
    for row in table.rows:
        if row.file not in files:
            table.left_out.add(Reason.UNSPLIT, row.file)
    notes = []
    if unused := sorted({*table.labels} - labels):
        counts = table.counts()
        named = ", ".join(f"{label!r} ({counts[label]:,} images)" for label in unused[:_NAMED])
        more = f" and {len(unused) - _NAMED} more" if len(unused) > _NAMED else ""
        notes.append(f"The model does not learn the classes that {path} leaves out: {named}{more}.")
    moved = [row for row in rows if row.file in by_file and by_file[row.file].label != row.label]
    if moved:
        first = moved[0]
        notes.append(
            f"{path} gives {len(moved):,} images another class than their folders do; it is taken "
            f"from the CSV: {first.file} is {first.label!r}."
        )
    kept = tuple(label for label in table.labels if label in labels)
    return SplitData(replace(table, labels=kept), Split(*parts), tuple(notes))


def _grouped(row: LabelledImage, by_file: dict[str, LabelledImage]) -> LabelledImage:
    """Return a row of the split with the group and source that the table has for its file."""
    known = by_file.get(row.file, row)
    return replace(row, group=known.group, source=known.source)


def _by_folder(table: ImageTable, validation: float, test: float, seed: int) -> SplitData:
    """Take the parts of a folder that is split already, and draw those that it lacks."""
    if is_tiny_imagenet(table.root):
        return SplitData(table, _halved(table, seed), ())
    given = {name: table.part(name) for name in PARTS}
    train = given["train"]
    drawn = [name for name in PARTS if not given[name]]
    fractions: dict[str, float] = {"validation": validation, "test": test}
    asked = {name: fractions[name] if name in drawn else 0.0 for name in fractions}
    if drawn:
        check_fractions(validation, test)
        equal = equal_files(table.root, (row.file for row in train))
        made = draw_parts(train, **asked, seed=seed, equal=equal)
        given |= {"train": made.train, **{name: made.part(name) for name in drawn}}
    split = Split(*(given[name] for name in PARTS))
    check_every_class(split, table)
    there = ", ".join(f"{len(table.part(name)):,} {name}" for name in PARTS if name not in drawn)
    note = f"{table.root} is split already and is read so: {there} images."
    for name in drawn:
        note += (
            f" It has no {name} part: {fractions[name]:.0%} of its training images are drawn for "
            f"that, {len(given[name]):,}."
        )
    return SplitData(table, split, (note,))


def _halved(table: ImageTable, seed: int) -> Split:
    """Return Tiny ImageNet's split: half of each class's validation images are for the test."""
    from sklearn.model_selection import train_test_split

    held = table.part("validation")
    halves = train_test_split(
        held, test_size=0.5, stratify=[row.label for row in held], random_state=seed
    )
    validation, test = (tuple(sorted(half, key=_order)) for half in halves)
    return Split(table.part("train"), validation, test)


def _order(row: LabelledImage) -> tuple[str, str]:
    return row.label, row.file


def _parts_inside(table: ImageTable) -> str:
    parts = parts_in_classes(table.root)
    if not parts:
        return ""
    return (
        f"The class folders of {table.root} hold {' and '.join(parts)} each: these are read as one "
        f"and split again. To keep them apart, put them above the classes: {table.root}/{parts[0]}/"
        "<class name>/<image>.jpg."
    )


def _joined(equal: Sequence[Sequence[str]]) -> str:
    if not equal:
        return ""
    images = sum(map(len, equal))
    return f"{images:,} images have the same bytes as another; such images stay in one part."
