"""What the service adds to the two steps that no classifier can do without."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial

from benchmarks.driven import Process, drive
from benchmarks.functions import baseline_and_ours
from benchmarks.measure import alternate, slug
from benchmarks.pictures import pictures
from benchmarks.rows import Goal, Options, Row, Series

CALLS = 40
"""Of each picture in each process."""

GOAL = Goal(1.15, at_most=True)


def rows(options: Options) -> Iterator[Row]:
    """Measure the handler against its own decoding and its own network, call by call in turn."""
    asked = pictures(options)
    calls = 2 if options.smoke else CALLS
    sides = {
        name: partial(drive, function, asked, calls, options, bare=True)
        for name, function in baseline_and_ours(options).items()
        if name != "baseline"
    }
    for name, measured in alternate(sides, options.runs).items():
        for index, picture in enumerate(asked):
            parts = [
                Series(step, "ms", tuple(_median(process, index, step) for process in measured))
                for step in ("handler", "decode", "network")
            ]
            whole, *bare = (part.median for part in parts)
            yield Row(
                name=slug(f"overhead-{picture.name}", name, 1),
                figure=f"Handler ÷ (bare decode + bare run), {picture.title}, {name}, 1 vCPU",
                result=whole / sum(bare),
                unit="",
                goal=GOAL,
                series=parts,
                notes=[
                    "the decode is the same scaled one; resizing and normalising count as overhead"
                ],
            )


def _median(process: Process, index: int, step: str) -> float:
    return statistics.median(process.ms[index][step])
