"""Apply the cleaning rules to a folder."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from model_loader.image.formats import FORMATS
from training.cleaning.clusters import find_clusters, outlying
from training.cleaning.copies import copies
from training.cleaning.examine import Examined, examine_files
from training.cleaning.image_quality import odd_sizes, sharpness
from training.cleaning.rules import Finding, Rules
from training.data.split import PARTS, Part, Split
from training.data.table import ImageTable, LabelledImage, list_folder
from training.errors import TrainingError

_LONGEST_NAME = 255  # bytes


@dataclass(frozen=True)
class Cleaning:
    """The result.

    Attributes:
        root: The cleaned folder.
        labels: Its classes.
        findings: All findings, in the order of the rules.
        kept: The path below the new folder of each file that is kept.
        examined: The class of each file.
        parts: The part of the split that each file is in; empty where nothing is split yet.
    """

    root: Path
    labels: tuple[str, ...]
    findings: tuple[Finding, ...]
    kept: dict[str, str]
    examined: Mapping[str, str]
    parts: Mapping[str, Part]

    @property
    def dropped(self) -> tuple[Finding, ...]:
        """The images that are not kept."""
        return tuple(finding for finding in self.findings if finding.action == "drop")


def list_files(root: Path) -> ImageTable:
    """Return every file in ``root``'s class folders, whatever its name ends in.

    Raises:
        TrainingError: There is no such folder, or no class folder in it that will do.
    """
    table = list_folder(root)
    if not table.rows:
        raise TrainingError(
            f"{root} has no files in class folders. Put them as {root}/<class name>/<image>.jpg."
        )
    return table


def clean(
    root: Path,
    rows: Sequence[LabelledImage],
    rules: Rules,
    parts: Mapping[str, Part] | None = None,
    threads: int | None = None,
) -> Cleaning:
    """Apply the rules, one after the other, each to what the ones before it kept.

    Args:
        root: The folder.
        rows: Its files, see ``list_files``.
        rules: Which rules, and their parameters.
        parts: The part of a split that each file is in; None where nothing is split yet.
        threads: See ``examine_files``.
    """
    kept = examine_files(root, rows, threads)
    parts = parts or {}
    findings: list[Finding] = []
    for step in (_by_itself, _quality, _clusters, partial(copies, parts=parts)):
        found = list(step(kept, rules))
        findings += found
        dropped = {finding.file for finding in found if finding.action == "drop"}
        kept = [image for image in kept if image.file not in dropped]
    labels = {row.file: row.label for row in rows}
    names = _names(kept, rules.fix_extensions)
    return Cleaning(
        root, tuple(dict.fromkeys(labels.values())), tuple(findings), names, labels, parts
    )


def _by_itself(images: Sequence[Examined], rules: Rules) -> Iterator[Finding]:
    """Judge each image on its own."""
    for image in images:
        rule, reason = image.rule, image.reason
        if rule == "wrong-extension" and rules.fix_extensions:
            yield Finding(image.file, image.label, rule, "rename", reason)
        elif rule is not None and (rule not in rules.skip or not image.format):
            # A file that is no image cannot be kept, whichever rules are skipped.
            yield Finding(image.file, image.label, rule, "drop", reason)
            continue
        if min(image.width, image.height) < rules.min_side and "too-small" not in rules.skip:
            reason = f"{image.width} × {image.height} pixels, a side is below {rules.min_side}"
            yield Finding(image.file, image.label, "too-small", "drop", reason)


def _quality(images: Sequence[Examined], rules: Rules) -> Iterator[Finding]:
    """Judge brightness, sharpness and size as CleanVision does."""
    if not images:
        return
    sizes = [math.sqrt(image.width * image.height) for image in images]
    median = float(np.median(sizes))
    scores = sharpness([image.edges for image in images])
    odd = odd_sizes(sizes, rules.odd_size)
    for image, sharp, is_odd in zip(images, scores, odd, strict=True):
        below = f"half of the images are below {median:.0f} × {median:.0f}"
        checks = (
            ("dark", image.brightness < rules.dark, f"score {image.brightness:.2f}"),
            ("blurry", sharp < rules.blurry, f"score {sharp:.2f}"),
            ("odd-size", is_odd, f"{image.width} × {image.height} pixels; {below}"),
        )
        for rule, applies, reason in checks:
            if applies and rule not in rules.skip:
                yield Finding(image.file, image.label, rule, "drop", reason)
                break


def _clusters(images: Sequence[Examined], rules: Rules) -> Iterator[Finding]:
    """K-Means over file size, and over height and width."""
    measures = (
        ("file-size-cluster", [(image.bytes,) for image in images], "{0:,.0f} bytes"),
        ("side-cluster", [(i.height, i.width) for i in images], "{1:.0f} × {0:.0f} pixels"),
    )
    seen: set[str] = set()
    for rule, values, shown in measures:
        if rule in rules.skip or not images:
            continue
        clusters = find_clusters(values, rules.clusters, rules.seed)
        for cluster in outlying(clusters, rules.max_share, rules.min_mads):
            where = (
                f"in a cluster of {len(cluster.members)} ({cluster.share:.2%}) around "
                f"{shown.format(*cluster.centre)}, {cluster.mads:.1f} deviations from the median"
            )
            for member in cluster.members:
                image = images[member]
                if image.file not in seen:
                    seen.add(image.file)
                    reason = f"{shown.format(*values[member])}, {where}"
                    yield Finding(image.file, image.label, rule, "drop", reason)


def parts_of(split: Split) -> dict[str, Part]:
    """Return the part of each file of a split."""
    return {row.file: name for name in PARTS for row in split.part(name)}


def _joined(stem: str, end: str) -> str:
    """Return a path, its last part cut so that file systems take it."""
    folder, _, name = stem.rpartition("/")
    while len(os.fsencode(name + end)) > _LONGEST_NAME:
        name = name[:-1]
    return f"{folder}/{name}{end}"


def _names(images: Sequence[Examined], fix: bool) -> dict[str, str]:
    """Return the new path of each image: its own, or one with the right extension."""
    wrong = [image for image in images if fix and image.rule == "wrong-extension"]
    names = {image.file: image.file for image in images if image not in wrong}
    taken = {name.lower() for name in names.values()}
    for image in wrong:
        stem = image.file.removesuffix(Path(image.file).suffix)
        suffix = FORMATS[image.format].suffixes[0]
        name, number = _joined(stem, suffix), 1
        while name.lower() in taken:
            number += 1
            name = _joined(stem, f"-{number}{suffix}")
        taken.add(name.lower())
        names[image.file] = name
    return names
