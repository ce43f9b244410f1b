"""`python -m training predict` on a folder: with one process and with two."""

from __future__ import annotations

import csv
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.functions import MODEL
from benchmarks.measure import alternate, times_better
from benchmarks.pictures import drawings
from benchmarks.processes import run_whole
from benchmarks.rows import Goal, Options, Row, Series, WrongAnswerError

FASTER = Goal(1.7)

_IMAGES = 3000
"""Enough for the imports of each process to weigh little."""

_DRAWINGS = 40


@dataclass(frozen=True)
class Prediction:
    """One run over a folder.

    Attributes:
        images_per_second: From the process' start to its end.
        peak: The most memory that the largest of its processes had of its own, 10^6 bytes.
    """

    images_per_second: float
    peak: float


def rows(options: Options) -> Iterator[Row]:
    """Measure the throughput."""
    images = folder_of(options, 8 if options.smoke else _IMAGES)
    one, two = "1 process", "2 processes"
    sides = {one: partial(predict, images, 1, options), two: partial(predict, images, 2, options)}
    measured = alternate(sides, options.runs)
    speeds = {
        name: Series(name, "images/s", tuple(run.images_per_second for run in runs))
        for name, runs in measured.items()
    }
    yield Row(
        name="scaling-processes",
        figure=f"`predict` on {_count(images):,} drawings of 0.2 megapixels, 2 processes against 1",
        result=times_better(speeds[one], speeds[two], more_is_better=True),
        unit="×",
        goal=FASTER,
        series=[*speeds.values()],
        notes=[f"{len(os.sched_getaffinity(0))} processors"],
    )


def predict(images: Path, processes: int, options: Options) -> Prediction:
    """Run it, and see that every image has an answer."""
    folder = Path(tempfile.mkdtemp(dir=options.work))
    answers = folder / "answers.csv"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "training",
        "predict",
        images,
        "--model",
        MODEL,
    ]
    command += ["--processes", str(processes), "--csv", answers]
    whole = run_whole(command)
    with answers.open(newline="") as file:
        answered = sum(1 for _ in csv.DictReader(file))
    if answered != _count(images):
        raise WrongAnswerError(f"predict answered {answered} of {_count(images)} images.")
    shutil.rmtree(folder)
    return Prediction(answered / whole.wall, whole.memory)


def folder_of(options: Options, count: int) -> Path:
    """Return a folder of so many images: names of a few drawings' files."""
    folder = options.work / f"images-{count}"
    if not folder.is_dir():
        folder.mkdir()
        drawn = drawings(options.work / "originals", 4 if options.smoke else _DRAWINGS)
        for index in range(count):
            (folder / f"{index:05}.jpg").hardlink_to(drawn[index % len(drawn)])
    return folder


def _count(images: Path) -> int:
    return sum(1 for _ in images.iterdir())
