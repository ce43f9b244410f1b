"""The memory of `python -m training predict` on many images against few."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.many import RUNS, memory_row
from benchmarks.measure import alternate
from benchmarks.rows import Options, Row
from benchmarks.scaling import folder_of, predict

_FEW, _MANY, _SMOKE_MANY = 100, 10_000, 120


def rows(options: Options) -> Iterator[Row]:
    """Measure the largest of two processes."""
    counts = (_FEW, _SMOKE_MANY if options.smoke else _MANY)
    sides = {count: partial(predict, folder_of(options, count), 2, options) for count in counts}
    measured = alternate(sides, min(options.runs, RUNS))
    peaks = {count: [run.peak for run in runs] for count, runs in measured.items()}
    notes = ["of the largest process, without the files that it maps"]
    yield memory_row("scaling-memory", "`predict`", peaks, notes)
