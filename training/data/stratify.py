"""Dividing images into training, validation and test: by class, groups kept whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from training.data.assigning import assign_groups
from training.data.split import PARTS, Split
from training.data.table import ImageTable, LabelledImage
from training.errors import TrainingError

_NAMED = 5  # classes in a message
_CLOSE = 0.05  # to a fraction that is asked for


def split_table(
    table: ImageTable,
    validation: float,
    test: float,
    seed: int,
    equal: Iterable[Sequence[str]] = (),
) -> Split:
    """Split a table by class and, if rows have groups, by group.

    ``validation`` and ``test`` are fractions of each class's images, met as far as groups allow;
    sets of ``equal`` files stay in one part like a group.

    Raises:
        TrainingError: A class has too few images or groups to be in every part, or the fractions
            leave a part empty.
    """
    check_fractions(validation, test)
    split = draw_parts(table.rows, validation, test, seed, equal)
    check_every_class(split, table)
    return split


def check_fractions(validation: float, test: float) -> None:
    """Check that fractions leave no part empty.

    Raises:
        TrainingError: One is not above 0, or both together are not below 1.
    """
    if not (0 < validation < 1 and 0 < test < 1 and validation + test < 1):
        raise TrainingError(
            f"Validation {validation:g} and test {test:g} leave no split of three parts: each "
            "must be above 0, and both together below 1."
        )


def draw_parts(
    rows: Sequence[LabelledImage],
    validation: float,
    test: float,
    seed: int,
    equal: Iterable[Sequence[str]] = (),
) -> Split:
    """Divide images as ``split_table`` does; a part whose fraction is 0 stays empty.

    Raises:
        TrainingError: A class has too few images for a part.
    """
    groups = _groups(rows, equal)
    if len(groups) == len(set(groups)) and all(row.group is None for row in rows):
        rest, tested = _divide(rows, test, seed)
        trained, validated = _divide(rest, validation / (1 - test), seed)
        return Split(trained, validated, tested)
    shares = (1 - validation - test, validation, test)
    parts = assign_groups([row.label for row in rows], groups, shares, seed)
    divided = zip(rows, parts, strict=True)
    found: list[list[LabelledImage]] = [[] for _ in PARTS]
    for row, part in divided:
        found[part].append(row)
    return Split(*map(tuple, found))


def missed_shares(split: Split, validation: float, test: float) -> str:
    """Return a sentence on classes that miss a fraction by more than 0.05; empty if none does."""
    counts = {name: Counter(row.label for row in split.part(name)) for name in PARTS}
    totals = sum(counts.values(), Counter[str]())
    groups: dict[str, set[str]] = {}
    for name in PARTS:
        for row in split.part(name):
            groups.setdefault(row.label, set()).add(row.group or f"file {row.file}")
    missed = []
    for label in sorted(totals):
        total = totals[label]
        reached = [counts[name][label] / total for name in PARTS[1:]]
        off = max(abs(reached[0] - validation), abs(reached[1] - test))
        if off > max(_CLOSE, 1 / total):
            missed.append(
                f"{label!r} ({len(groups[label])} groups): {reached[0]:.0%} validation, "
                f"{reached[1]:.0%} test"
            )
    if not missed:
        return ""
    more = f"; and {len(missed) - _NAMED} classes more" if len(missed) > _NAMED else ""
    return (
        f"Groups stay whole, so that these classes miss {validation:.0%} validation and "
        f"{test:.0%} test: {'; '.join(missed[:_NAMED])}{more}."
    )


def _groups(rows: Sequence[LabelledImage], equal: Iterable[Sequence[str]]) -> list[str]:
    """Return the group name of each image, with the groups of equal files joined."""
    names = {
        row.file: f"file {row.file}" if row.group is None else f"group {row.group}" for row in rows
    }
    joined: dict[str, str] = {}

    def final(name: str) -> str:
        while name in joined:
            name = joined[name]
        return name

    for files in equal:
        first, *others = (final(names[file]) for file in files)
        for other in others:
            if final(other) != final(first):
                joined[final(other)] = final(first)
    return [final(names[row.file]) for row in rows]


def _divide(
    rows: Sequence[LabelledImage], fraction: float, seed: int
) -> tuple[tuple[LabelledImage, ...], tuple[LabelledImage, ...]]:
    """Return the rows without, and the rows with, about ``fraction`` of each class."""
    if not fraction:
        return tuple(rows), ()
    kept, taken = _divide_images([row.label for row in rows], fraction, seed)
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


def check_every_class(split: Split, table: ImageTable) -> None:
    """Check that each part has every class.

    Raises:
        TrainingError: It names the first class that is missing, and says why.
    """
    for name in PARTS:
        missing = set(table.labels) - {row.label for row in split.part(name)}
        if not missing:
            continue
        groups = {row.group for row in table.rows}
        if len(groups) == 1 and None not in groups:
            raise TrainingError(
                f"All {len(table.rows)} images are in one group, {groups.pop()!r}, which cannot "
                "be split. The column 'group' must tell apart what may be in different parts."
            )
        label = min(missing)
        count = table.counts()[label]
        if groups == {None} and count < len(PARTS):
            raise _too_few(Counter({label: count}), 1 / len(PARTS))
        if groups == {None}:
            raise TrainingError(
                f"The class {label!r} is missing from the {name} part: its {count} images are "
                "exact copies of one or two, and copies stay in one part. Add other images of it."
            )
        own = {row.group or row.file for row in table.rows if row.label == label}
        raise TrainingError(
            f"The class {label!r} is missing from the {name} part: it has "
            f"{count} images in {len(own)} groups. Add images or groups of "
            "it, or try another seed: --seed 1 for split, --set seed=1 for train."
        )
