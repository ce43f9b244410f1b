"""Summary of a folder of labelled images, class by class."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.data.duplicates import exact_duplicates
from training.data.headers import Header, read_headers
from training.data.parts import Part
from training.data.table import ImageTable
from training.data.walk import LeftOut


@dataclass(frozen=True)
class Spread:
    """The smallest, median and largest value of one measure."""

    smallest: float
    median: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Return the spread of some values; None of no values."""
        if not values:
            return None
        return cls(min(values), statistics.median(values), max(values))


@dataclass(frozen=True)
class ClassSummary:
    """One class, or all of them together."""

    label: str
    images: int
    bytes: Spread | None
    width: Spread | None  # pixels of the upright images
    height: Spread | None
    aspect: Spread | None  # width / height
    formats: dict[str, int]  # number of images, the most frequent format first
    modes: dict[str, int]  # the same of Pillow's pixel modes
    duplicates: int  # images with the bytes of an earlier one, of any class
    problems: int  # images that cannot be used according to their headers


@dataclass(frozen=True)
class Inspection:
    """The result; classes and headers are in the table's order."""

    root: Path
    classes: tuple[ClassSummary, ...]
    total: ClassSummary
    duplicates: tuple[tuple[str, ...], ...]  # sets of files with the same bytes
    headers: tuple[Header, ...]  # one for each image
    parts: Mapping[str, Part]  # the part of each file, if the folder is split; else empty
    left_out: LeftOut

    @property
    def problems(self) -> tuple[Header, ...]:
        """The images that cannot be used."""
        return tuple(header for header in self.headers if header.problem is not None)

    @property
    def conflicts(self) -> tuple[tuple[str, ...], ...]:
        """The sets of equal files that stand in more than one class."""
        labels = {header.file: header.label for header in self.headers}
        return tuple(
            files for files in self.duplicates if len({labels[file] for file in files}) > 1
        )

    @property
    def leaks(self) -> tuple[tuple[str, ...], ...]:
        """The sets of equal files that stand in more than one part of the split."""
        return tuple(
            files
            for files in self.duplicates
            if len({self.parts[file] for file in files if file in self.parts}) > 1
        )

    def to_json(self) -> dict[str, Any]:
        """Return what ``inspect.json`` holds: sizes in bytes, widths and heights in pixels."""
        return {
            "folder": str(self.root),
            "total": asdict(self.total),
            "classes": [asdict(summary) for summary in self.classes],
            "problems": {header.file: header.problem for header in self.problems},
            "duplicates": [list(files) for files in self.duplicates],
            "duplicates_across_classes": [list(files) for files in self.conflicts],
            "duplicates_across_parts": [list(files) for files in self.leaks],
            "parts": Counter(self.parts.values()),
            "left_out": self.left_out.to_json(),
        }


def inspect_table(table: ImageTable) -> Inspection:
    """Read every image's header, and the bytes of those that may be duplicates."""
    headers = read_headers(table.root, table.rows, "Reading headers")
    duplicates = exact_duplicates(table.root, [(header.file, header.bytes) for header in headers])
    again = {file for files in duplicates for file in files[1:]}
    by_label: dict[str, list[Header]] = {label: [] for label in table.labels}
    for header in headers:
        by_label[header.label].append(header)
    return Inspection(
        table.root,
        tuple(_summary(label, found, again) for label, found in by_label.items()),
        _summary("all", headers, again),
        tuple(tuple(files) for files in duplicates),
        tuple(headers),
        table.parts,
        table.left_out,
    )


def _summary(label: str, headers: Sequence[Header], again: set[str]) -> ClassSummary:
    whole = [header for header in headers if header.problem is None]
    return ClassSummary(
        label=label,
        images=len(headers),
        bytes=Spread.of([header.bytes for header in headers]),
        width=Spread.of([header.width for header in whole]),
        height=Spread.of([header.height for header in whole]),
        aspect=Spread.of([round(header.width / header.height, 4) for header in whole]),
        formats=dict(Counter(header.format for header in whole).most_common()),
        modes=dict(Counter(header.mode for header in whole).most_common()),
        duplicates=sum(header.file in again for header in headers),
        problems=len(headers) - len(whole),
    )
