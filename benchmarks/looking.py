"""`inspect`, `clean` and `predict` on folders: throughput, and memory on few and many images."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.functions import MODEL
from benchmarks.images import folder_of, labelled_folder, large_folder
from benchmarks.measure import Process, alternate, run_process, series_of
from benchmarks.rows import Goal, Options, Row, Series, WrongAnswerError, compared
from training.data.table import read_folder

_FASTER, _SCALES, _FLAT = Goal(5), Goal(1.7), Goal(1.1, at_most=True)
_FEW, _MANY, _SMOKE_MANY, _LARGE, _PREDICTED = 100, 10_000, 120, 60, 3000
_MEMORY_RUNS = 3

_HEADERS = "a loop that opens them for their headers"
_DECODES = "a loop that opens and decodes them"
_CLEANS = "a loop with imagehash and CleanVision"


def rows(options: Options) -> Iterator[Row]:
    """Measure each command against the usual loop, `predict` against itself, then the memory."""
    many = _SMOKE_MANY if options.smoke else _MANY
    most, labelled = folder_of(many, options), labelled_folder(options)
    cases = [
        ("inspect-headers", "headers", _HEADERS, most, "small images"),
        ("inspect", "inspect", _DECODES, most, "small images"),
        ("clean", "clean", _CLEANS, labelled, "small images"),
    ]
    if not options.smoke:
        large = large_folder(_LARGE, options)
        cases += [
            ("inspect-12mp", "inspect", _DECODES, large, "12 megapixels"),
            ("clean-12mp", "clean", _CLEANS, large, "12 megapixels"),
        ]
    for name, loop, against, folder, kind in cases:
        command, count = name.split("-")[0], len(read_folder(folder).rows)
        sides = {
            "baseline": partial(_run, "benchmarks.usual_look", loop, folder, count),
            "ours": partial(_run, "training", command, folder, count),
        }
        speeds = _speeds(alternate(sides, options.runs), count)
        figure = f"`{command}` on {count:,} files ({kind}) against {against}, wall time"
        yield compared(f"{name}-wall", figure, _FASTER, *speeds)

    count = _SMOKE_MANY if options.smoke else _PREDICTED
    folder = folder_of(count, options)
    processes = {f"{n} process{'es' * (n > 1)}": _predict(folder, count, n) for n in (1, 2)}
    speeds = _speeds(alternate(processes, options.runs), count)
    figure = f"`predict` on {count:,} small images, 2 processes against 1"
    yield compared("scaling-processes", figure, _SCALES, *speeds)

    for command, name in (("inspect", "inspect"), ("clean", "clean"), ("predict", "scaling")):
        sides = {}
        for count in (_FEW, many):
            folder = folder_of(count, options)
            side = partial(_run, "training", command, folder, count)
            sides[f"{count:,} images"] = _predict(folder, count, 2) if name == "scaling" else side
        measured = alternate(sides, min(options.runs, _MEMORY_RUNS))
        few, most_ = series_of(measured, "MB", lambda process: process.megabytes)
        figure = f"Peak memory of `{command}`, {many:,} images against {_FEW}"
        yield Row(f"{name}-memory", figure, most_.median / few.median, "", _FLAT, [few, most_])


def _predict(folder: Path, count: int, processes: int) -> partial[Process]:
    options = ("--model", MODEL, "--processes", str(processes))
    return partial(_run, "training", "predict", folder, count, *options)


def _run(module: str, command: str, folder: Path, count: int, *options: str | Path) -> Process:
    """Run a command, and see that it names the number of its images, or each of them."""
    process = run_process([sys.executable, "-m", module, command, folder, *options])
    numbers = re.findall(r"(?<![-/\w])\d+", process.output.replace(",", ""))
    if str(count) not in numbers and process.output.count(f"{folder}/") != count:
        said = process.output[-2000:]
        raise WrongAnswerError(f"{module} {command} did not look at {count} images:\n{said}")
    return process


def _speeds(measured: dict[str, list[Process]], count: int) -> list[Series]:
    return series_of(measured, "images/s", lambda process: count / process.seconds)
