"""The memory of `python -m training predict` on many images against few."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.measure import alternate
from benchmarks.rows import Goal, Options, Row, Series
from benchmarks.scaling import folder_of, predict

FLAT = Goal(1.1, at_most=True)

_FEW, _MANY, _SMOKE_MANY = 100, 10_000, 120
_RUNS = 3


def rows(options: Options) -> Iterator[Row]:
    """Measure the largest of two processes."""
    counts = (_FEW, _SMOKE_MANY if options.smoke else _MANY)
    sides = {
        f"{count:,} images": partial(predict, folder_of(options, count), 2, options)
        for count in counts
    }
    measured = alternate(sides, min(options.runs, _RUNS))
    few, most = (
        Series(name, "MB", tuple(run.peak for run in runs)) for name, runs in measured.items()
    )
    yield Row(
        name="scaling-memory",
        figure=f"Peak memory of `predict`, {counts[1]:,} images against {_FEW}",
        result=most.median / few.median,
        unit="",
        goal=FLAT,
        series=[few, most],
        notes=["of the largest process, without the files that it maps"],
    )
