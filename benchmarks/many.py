"""What grows with the number of images: the memory of `inspect`, `clean` and training."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.labelled import labelled_folder, many
from benchmarks.measure import alternate
from benchmarks.processes import Whole, run_whole
from benchmarks.rows import Goal, Options, Row, Series

FLAT = Goal(1.1, at_most=True)

_COUNTS, _SMOKE_COUNTS = (100, 10_000), (100, 120)
_RUNS = 3


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
        sides = {
            f"{count:,} images": partial(_run, module, _folder(count, options), stages)
            for count in counts
        }
        measured = alternate(sides, min(options.runs, _RUNS))
        few, most = (
            Series(side, "MB", tuple(whole.memory for whole in wholes))
            for side, wholes in measured.items()
        )
        yield Row(
            name=f"{name}-memory",
            figure=f"Peak memory of {what}, {counts[1]:,} images against {counts[0]}",
            result=most.median / few.median,
            unit="",
            goal=FLAT,
            series=[few, most],
            notes=["a process' own memory, without the files that it maps"],
        )


def _folder(count: int, options: Options) -> Path:
    return many(labelled_folder(options), count, options)


def _run(module: list[str], folder: Path, stages: list[str]) -> Whole:
    return run_whole([sys.executable, "-m", *module, folder, *stages])
