"""Exact copies of training images in the validation and test parts."""

from __future__ import annotations

from collections.abc import Mapping

from training.data.split import PARTS, Part, Split

Copies = Mapping[Part, tuple[str, ...]]
"""The files of the validation and test parts that have a training image's bytes."""


def copied_from_training(split: Split, digests: Mapping[str, str]) -> Copies:
    """Return the files of each other part whose digest a training image has, of any class."""
    trained = {digests[row.file] for row in split.train if row.file in digests}
    return {
        name: tuple(row.file for row in split.part(name) if digests.get(row.file) in trained)
        for name in PARTS[1:]
    }


def describe_copies(copies: Copies, split: Split) -> str:
    """Return a sentence on copies, and what to do; empty if there are none."""
    counts = [
        f"{len(files):,} of {len(split.part(name)):,} {name} images"
        for name, files in copies.items()
        if files
    ]
    if not counts:
        return ""
    first = next(file for files in copies.values() for file in files)
    return (
        f"{' and '.join(counts)} are exact copies of training images, so that their figures are "
        f"too good (the first is {first}). Take the copies out of training with `python -m "
        "training clean`, or make a new split: `python -m training split` keeps copies together."
    )
