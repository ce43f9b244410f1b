"""`inspect` and `clean` against a loop that opens every image with Pillow; memory on many."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from benchmarks.labelled import labelled_folder, many
from benchmarks.measure import alternate, times_better
from benchmarks.pictures import pictures
from benchmarks.processes import Whole, run_whole
from benchmarks.rows import Goal, Options, Row, Series
from training.data.walk import class_folders, walk_files

FASTER = Goal(5)
FLAT = Goal(1.1, at_most=True)

_FEW, _MANY = 100, 10_000
_SMOKE_MANY = 120
_LARGE = 60
_MEMORY_RUNS = 3


def rows(options: Options) -> Iterator[Row]:
    """Measure the throughput of small and large images, then the memory."""
    small = labelled_folder(options)
    most = _SMOKE_MANY if options.smoke else _MANY
    yield from _throughput("inspect", "inspect", many(small, most, options), options)
    yield from _throughput("clean", "clean", small, options)
    for verb in () if options.smoke else ("inspect", "clean"):
        yield from _throughput(verb, f"{verb}-12mp", _large(options), options)
    for verb in ("inspect", "clean"):
        ours = {count: partial(_ours, verb, many(small, count, options)) for count in (_FEW, most)}
        yield _memory(verb, ours, options)
    if not options.smoke:
        training = {count: partial(_train, many(small, count, options)) for count in (_FEW, most)}
        yield _memory("train", training, options)


def _throughput(verb: str, name: str, folder: Path, options: Options) -> Iterator[Row]:
    images = sum(1 for each in class_folders(folder) for _ in walk_files(each))
    what = "12 megapixels" if name != verb else "some 0.1 megapixels"
    sides = {
        "baseline": partial(_usual, verb, folder),
        "ours": partial(_ours, verb, folder),
    }
    measured = alternate(sides, options.runs)
    for kind, goal in (("wall", FASTER), ("cpu", None)):
        series = {
            side: Series(side, "images/s", tuple(images / getattr(whole, kind) for whole in wholes))
            for side, wholes in measured.items()
        }
        yield Row(
            name=f"{name}-{kind}",
            figure=f"`{verb}` on {images:,} images of {what}, "
            + ("wall time" if kind == "wall" else "processor time"),
            result=times_better(series["baseline"], series["ours"], more_is_better=True),
            unit="×",
            goal=goal,
            series=[*series.values()],
            notes=[
                "whole processes, imports included; the loop decodes each image once and takes "
                "its numbers from imagehash and CleanVision"
            ],
        )


def _memory(verb: str, ours: Mapping[int, Callable[[], Whole]], options: Options) -> Row:
    measured = alternate(
        {f"{count:,} images": run for count, run in ours.items()}, min(options.runs, _MEMORY_RUNS)
    )
    peaks = [
        Series(name, "MB", tuple(whole.memory for whole in wholes))
        for name, wholes in measured.items()
    ]
    few, most = ours
    return Row(
        name=f"{verb}-memory",
        figure=f"Peak memory of `{verb}`, {most:,} images against {few}",
        result=peaks[1].median / peaks[0].median,
        unit="",
        goal=FLAT,
        series=peaks,
        notes=["a process' own memory, without the files that it maps"],
    )


def _usual(verb: str, folder: Path) -> Whole:
    return run_whole([sys.executable, "-m", "benchmarks.usual_look", verb, folder])


def _ours(verb: str, folder: Path) -> Whole:
    return run_whole([sys.executable, "-m", "training", verb, folder])


def _train(folder: Path) -> Whole:
    return run_whole([sys.executable, "-m", "benchmarks.our_training", folder, "head:1"])


def _large(options: Options) -> Path:
    """Return a folder of two classes of 12-megapixel images."""
    folder = options.work / "large"
    if not folder.is_dir():
        picture = pictures(options)[0].path
        for number in range(_LARGE):
            name = folder / f"class-{number % 2}" / f"{number:03}.jpg"
            name.parent.mkdir(parents=True, exist_ok=True)
            name.symlink_to(picture)
    return folder
