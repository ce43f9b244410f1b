"""Folders of labelled images: the photographs of flying objects where they are, else drawings."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rows import Options
from samples.draw import draw_sample_data
from training.data.stratify import split_table
from training.data.table import read_folder

FLYING_OBJECTS = "flying-objects"
"""The folder below `Options.data` with a folder of photographs for each class."""

_PER_CLASS, _SMOKE_PER_CLASS = 300, 12


def labelled_folder(options: Options) -> Path:
    """Return a folder with one folder of images for each class."""
    if options.data and (options.data / FLYING_OBJECTS).is_dir():
        return options.data / FLYING_OBJECTS
    folder = options.work / "labelled"
    if not folder.is_dir():
        draw_sample_data(folder, _SMOKE_PER_CLASS if options.smoke else _PER_CLASS)
    return folder


def parts_of(folder: Path, options: Options) -> Path:
    """Return a folder with `train/` and `validation/`, split as our recipes do."""
    parts = options.work / "parts"
    if not parts.is_dir():
        split = split_table(read_folder(folder), validation=0.15, test=0.15, seed=0)
        for name, rows in (("train", split.train), ("validation", split.validation)):
            for row in rows:
                _link(folder / row.file, parts / name / row.file)
    return parts


def many(folder: Path, count: int, options: Options) -> Path:
    """Return a folder of so many images: names of another folder's files, class by class."""
    target = options.work / f"{folder.name}-{count}"
    if not target.is_dir():
        rows = read_folder(folder).rows
        for number in range(count):
            row = rows[number * len(rows) // count if count < len(rows) else number % len(rows)]
            name = f"{row.label}/{number:05}{Path(row.file).suffix}"
            _link(folder / row.file, target / name)
    return target


def _link(file: Path, name: Path) -> None:
    name.parent.mkdir(parents=True, exist_ok=True)
    name.symlink_to(file)
