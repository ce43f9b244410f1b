"""`inspect` and `clean` against a loop that opens every image with Pillow."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.labelled import labelled_folder, many
from benchmarks.measure import alternate, times_better
from benchmarks.pictures import pictures
from benchmarks.processes import Whole, run_whole
from benchmarks.rows import Goal, Options, Row, Series, WrongAnswerError
from training.data.walk import class_folders, walk_files

FASTER = Goal(5)

_MANY, _SMOKE_MANY = 10_000, 120
_LARGE = 60


@dataclass(frozen=True)
class _Case:
    """A verb, and the loop that it is measured against.

    Attributes:
        name: Of the row.
        verb: Ours.
        loop: Of `benchmarks.usual_look`.
        against: What the loop does, in words.
    """

    name: str
    verb: str
    loop: str
    against: str


_CASES = (
    _Case("inspect-headers", "inspect", "headers", "a loop that opens them for their headers"),
    _Case("inspect", "inspect", "inspect", "a loop that opens and decodes them"),
    _Case("clean", "clean", "clean", "a loop with imagehash and CleanVision"),
)


def rows(options: Options) -> Iterator[Row]:
    """Measure the throughput of small and large images."""
    small = labelled_folder(options)
    most = many(small, _SMOKE_MANY if options.smoke else _MANY, options)
    for case in _CASES:
        folder = small if case.verb == "clean" else most
        yield from _throughput(case, "small images", "", folder, options)
    for case in () if options.smoke else _CASES:
        yield from _throughput(case, "12 megapixels", "-12mp", _large(options), options)


def _throughput(
    case: _Case, what: str, suffix: str, folder: Path, options: Options
) -> Iterator[Row]:
    images = sum(1 for each in class_folders(folder) for _ in walk_files(each))
    sides = {
        "baseline": partial(_run, "benchmarks.usual_look", case.loop, folder, images),
        "ours": partial(_run, "training", case.verb, folder, images),
    }
    measured = alternate(sides, options.runs)
    for kind, goal in (("wall", FASTER), ("cpu", None)):
        series = {
            side: Series(side, "images/s", tuple(images / getattr(whole, kind) for whole in wholes))
            for side, wholes in measured.items()
        }
        yield Row(
            name=f"{case.name}{suffix}-{kind}",
            figure=f"`{case.verb}` on {images:,} files ({what}) against {case.against}, "
            + ("wall time" if kind == "wall" else "processor time"),
            result=times_better(series["baseline"], series["ours"], more_is_better=True),
            unit="×",
            goal=goal,
            series=[*series.values()],
            notes=[
                "whole processes, imports included; more files than photographs are links to them"
            ],
        )


def _run(module: str, verb: str, folder: Path, images: int) -> Whole:
    whole = run_whole([sys.executable, "-m", module, verb, folder])
    if not {str(images), f"{images:,}"} & {*re.findall(r"[\d,]+", whole.output)}:
        raise WrongAnswerError(f"{module} {verb} did not look at {images} images:\n{whole.output}")
    return whole


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
