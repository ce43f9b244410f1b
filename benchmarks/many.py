"""What grows with the number of images: the memory of `inspect`, `clean` and training."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.labelled import labelled_folder, many
from benchmarks.measure import alternate
from benchmarks.processes import Whole, run_whole
from benchmarks.rows import Goal, Options, Row, Series

FLAT = Goal(1.1, at_most=True)

_COUNTS, _SMOKE_COUNTS = (100, 10_000), (100, 120)
RUNS = 3


def rows(options: Options) -> Iterator[Row]:
    """Measure the memory on few images and on many."""
    commands = {
        "inspect": ("`inspect`", ["training", "inspect"], []),
        "clean": ("`clean`", ["training", "clean"], []),
        "train": ("one epoch of a head", ["benchmarks.our_training"], ["head:1"]),
    }
    counts = _SMOKE_COUNTS if options.smoke else _COUNTS
    for name, (what, module, stages) in commands.items():
        if options.smoke and name == "train":
            continue
        sides = {count: partial(_run, module, _folder(count, options), stages) for count in counts}
        peaks = {
            count: [whole.memory for whole in wholes]
            for count, wholes in alternate(sides, min(options.runs, RUNS)).items()
        }
        notes = ["a process' own memory, without the files that it maps"]
        yield memory_row(f"{name}-memory", what, peaks, notes)


def memory_row(name: str, what: str, peaks: Mapping[int, Sequence[float]], notes: list[str]) -> Row:
    """Return the row that compares the memory (10^6 bytes) on few images with that on many."""
    (fewer, few), (more, most) = (
        (count, Series(f"{count:,} images", "MB", tuple(values))) for count, values in peaks.items()
    )
    return Row(
        name=name,
        figure=f"Peak memory of {what}, {more:,} images against {fewer}",
        result=most.median / few.median,
        unit="",
        goal=FLAT,
        series=[few, most],
        notes=notes,
    )


def _folder(count: int, options: Options) -> Path:
    return many(labelled_folder(options), count, options)


def _run(module: list[str], folder: Path, stages: list[str]) -> Whole:
    return run_whole([sys.executable, "-m", *module, folder, *stages])
