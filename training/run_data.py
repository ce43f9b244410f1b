"""A run's ``data.json``: which images it was trained on, and whether a folder still holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_loader.metadata import checked_labels
from training.data.contents import SkippedImage, Skips, fingerprint, read_contents
from training.data.split import PARTS, Split, read_split
from training.errors import TrainingError, because
from training.files.atomic import replacing
from training.run import Run

_SHOWN = ("labels", "images", "train", "validation", "test", "fingerprint")
# What an exported version tells everyone: no file name and no folder.


@dataclass(frozen=True)
class RunData:
    """The images of a run.

    Attributes:
        root: The folder that held them.
        labels: The class names in index order.
        fingerprint: A sha256 over every image's name, label and bytes.
        skipped: Images that could not be used.
        weights: The first weights: a name, or the path of a state dict.
        cache: The folder of decoded images, or ``none``.
        shown: What an exported version tells of them.
    """

    root: Path
    labels: tuple[str, ...]
    fingerprint: str
    skipped: tuple[SkippedImage, ...]
    weights: str
    cache: str | None
    shown: Mapping[str, Any]


def read_data(run: Run) -> RunData:
    """Read a run's ``data.json``.

    Raises:
        TrainingError: It is missing or damaged.
    """
    try:
        data = json.loads(run.data.read_text(encoding="utf-8", errors="surrogateescape"))
        shown = {key: data[key] for key in _SHOWN if key in data}
        return RunData(
            root=Path(data["root"]),
            labels=checked_labels(data["labels"]),
            fingerprint=str(data["fingerprint"]),
            skipped=tuple(SkippedImage(**image) for image in data["skipped"]),
            weights=str(data.get("weights", "imagenet")),
            cache=data.get("cache"),
            shown={**shown, "skipped": len(data["skipped"])},
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{run.data} cannot be read: {error!r}. Train again.") from error


def write_data(run: Run, data: Mapping[str, Any]) -> None:
    """Write a run's ``data.json``.

    Raises:
        OSError: It cannot be written.
    """
    text = json.dumps(data, indent=2, ensure_ascii=False)
    with replacing(run.data) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def move_data(run: Run, root: Path) -> None:
    """Note the folder that a run's images lie in now.

    Raises:
        TrainingError: The run cannot be written.
    """
    data = json.loads(run.data.read_text(encoding="utf-8", errors="surrogateescape"))
    try:
        write_data(run, {**data, "root": str(root.resolve())})
    except OSError as error:
        message = f"{run.data} cannot be written{because(error, 'try again.')}"
        raise TrainingError(message) from error


def check_there(run: Run, split: Split, root: Path) -> None:
    """Check that a folder has all images of a run, by name.

    Raises:
        TrainingError: Some are missing; the message says how many, and how to give another folder.
    """
    rows = [row for part in PARTS for row in split.part(part)]
    missing = [row.file for row in rows if not (root / row.file).is_file()]
    if missing:
        raise TrainingError(
            f"{len(missing):,} of the {len(rows):,} images of {run.folder} are not in {root}, "
            f"{missing[0]!r} for one. Put them back, or where they moved, give the new place: "
            "--data DIR."
        )


def has_own_images(run: Run, root: Path) -> bool:
    """Return whether a folder holds the images that a run was trained with, byte for byte."""
    split = read_split(run.split)
    rows = sorted((row for name in PARTS for row in split.part(name)), key=lambda row: row.file)
    if not all((root / row.file).is_file() for row in rows):
        return False
    contents = read_contents(root, rows, "Comparing files", Skips(len(rows)))
    return fingerprint(rows, contents) == read_data(run).fingerprint
