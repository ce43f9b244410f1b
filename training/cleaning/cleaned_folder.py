"""A cleaned folder: links to what is kept, and a report of what is not."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training.cleaning.apply_rules import Cleaning
from training.cleaning.rules import Finding
from training.data.split import PARTS, Split, write_split
from training.data.tiny_imagenet import LISTS, is_tiny_imagenet
from training.errors import TrainingError
from training.files.atomic import hidden_folder
from training.files.csv_files import new_csv
from training.output.progress import progress

REPORT = "report.csv"
SPLIT = "split.csv"


def check_target(root: Path, target: Path) -> None:
    """Refuse a target that holds something, or that lies in the data.

    Raises:
        TrainingError: It is not empty, is the data folder, or one lies in the other.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise TrainingError(f"{target} exists already. Give a new or empty folder.")
    here, there = root.resolve(), target.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise TrainingError(
            f"{target} and {root} lie one in the other: what is kept would be counted as data. "
            "Give a folder elsewhere."
        )


def check_classes(cleaning: Cleaning) -> None:
    """Refuse to write a folder that has lost a class.

    Raises:
        TrainingError: The rules drop every image of a class.
    """
    dropped: dict[tuple[str, str], Counter[str]] = {}
    for finding in cleaning.dropped:
        dropped.setdefault(_place_of(cleaning, finding.file), Counter())[finding.rule] += 1
    empty = dropped.keys() - {_place_of(cleaning, file) for file in cleaning.kept}
    if cleaning.parts:  # files that no part holds are no loss
        empty = {(label, part) for label, part in empty if part}
    if empty:
        label, part = min(empty)
        rules = dropped[label, part]
        where = f" in the {part} part" if part else ""
        raise TrainingError(
            f"The rules would drop all images of the class {label!r}{where}: "
            f"{', '.join(f'{rule} {n}' for rule, n in rules.most_common())}. Loosen their "
            "parameters or leave a rule out with --skip."
        )


def _place_of(cleaning: Cleaning, file: str) -> tuple[str, str]:
    """Return a file's class, and its part of the split, if there is one."""
    return cleaning.examined[file], cleaning.parts.get(file, "")


def keep(
    cleaning: Cleaning, target: Path, split: Split | None = None, copy: bool = False
) -> tuple[Finding, ...]:
    """Write what is kept into a new folder: all of it, or nothing.

    It is written into a hidden folder beside the target, which is renamed when it is complete.

    Args:
        cleaning: The files to keep; subfolders stay as they are.
        target: The new folder. It gets ``report.csv``, one line a finding, and, where there is a
            split, ``split.csv`` with the images that are kept.
        split: Split of the original folder.
        copy: Copy every file; otherwise files are hard links where the file system has them, and
            a change of one in place changes the original.

    Returns:
        All findings, with those that arose while writing: an image that has disappeared.

    Raises:
        TrainingError: The target will not do, a class would be empty, or the disk is full.
    """
    check_target(cleaning.root, target)
    check_classes(cleaning)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with hidden_folder(target.parent, f".{target.name}.unfinished-") as hidden:
            unfinished = hidden / target.name
            unfinished.mkdir()
            kept, vanished = _place(cleaning, unfinished, copy)
            if is_tiny_imagenet(cleaning.root):
                for name in LISTS:
                    _link_or_copy(cleaning.root / name, unfinished / name, copy=True)
            findings = (*cleaning.findings, *vanished)
            _write_report(findings, unfinished / REPORT)
            if split is not None:
                write_split(_kept_split(split, kept), unfinished / SPLIT)
            unfinished.rename(target)
    except OSError as error:
        raise TrainingError(f"{target} cannot be written: {error}.") from error
    return findings


def _place(cleaning: Cleaning, folder: Path, copy: bool) -> tuple[dict[str, str], list[Finding]]:
    kept: dict[str, str] = {}
    vanished = []
    with progress("Keeping", len(cleaning.kept)) as advance:
        for file, name in cleaning.kept.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if _link_or_copy(cleaning.root / file, folder / name, copy):
                kept[file] = name
            else:
                reason = "disappeared before it could be kept"
                label = cleaning.examined[file]
                vanished.append(Finding(file, label, "unreadable", "drop", reason))
            advance("")
    return kept, vanished


def _link_or_copy(source: Path, target: Path, copy: bool) -> bool:
    """Put a file at another place; False if it is not there any more."""
    try:
        if not copy:
            try:
                os.link(source.resolve(), target)
                return True
            except FileNotFoundError:
                return False
            except OSError:
                pass  # another file system, or one without hard links
        shutil.copy2(source, target)
    except FileNotFoundError:
        return False
    return True


def _write_report(findings: Sequence[Finding], path: Path) -> None:
    with new_csv(path, ("file", "label", "rule", "action", "reason")) as add:
        for finding in findings:
            add((finding.file, finding.label, finding.rule, finding.action, finding.reason))


def _kept_split(split: Split, kept: dict[str, str]) -> Split:
    return Split(
        *(
            tuple(replace(row, file=kept[row.file]) for row in split.part(name) if row.file in kept)
            for name in PARTS
        )
    )
