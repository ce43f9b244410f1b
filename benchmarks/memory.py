"""What a function's process takes, with Lambda's runtime client in it: memory, and to start."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.driven import Process, drive
from benchmarks.functions import baseline_and_ours
from benchmarks.measure import alternate, slug, times_better
from benchmarks.pictures import pictures
from benchmarks.rows import Goal, Options, Row, Series

GOALS = {"ONNX": Goal(4), "TorchScript": Goal(5 / 3)}

CALLS = 7
"""Of each picture; with those that warm up, 34 answers in all."""


def rows(options: Options) -> Iterator[Row]:
    """Measure both flavours against the baseline."""
    large, progressive, small = pictures(options)
    calls = 1 if options.smoke else CALLS
    sides = {
        name: partial(drive, function, (small, large, progressive), calls, options)
        for name, function in baseline_and_ours(options).items()
    }
    processes = alternate(sides, options.runs)
    for name in ("ONNX", "TorchScript"):
        yield _row("memory", name, processes, "after 34 answers, most to 12 megapixels")
        yield _row("memory-first", name, processes, "after the first answer, to 0.2 megapixels")
        yield _start_row(name, processes)


def _row(figure: str, name: str, processes: dict[str, list[Process]], when: str) -> Row:
    def series(side: str) -> Series:
        measured = processes[side]
        peaks = [one.first_peak if figure == "memory-first" else one.peak for one in measured]
        return Series(side, "MB", tuple(peaks))

    return Row(
        name=slug(figure, name, 1),
        figure=f"Peak memory {when}, {name}",
        result=times_better(series("baseline"), series(name)),
        unit="×",
        goal=GOALS[name],
        series=[series("baseline"), series(name)],
    )


def _start_row(name: str, processes: dict[str, list[Process]]) -> Row:
    baseline, ours = (
        Series(side, "ms", tuple(one.start_cpu for one in processes[side]))
        for side in ("baseline", name)
    )
    return Row(
        name=slug("start-processor", name, 1),
        figure=f"Processor time from the start to the first answer, {name}, 1 vCPU",
        result=times_better(baseline, ours),
        unit="×",
        goal=None,
        series=[baseline, ours],
        notes=["without the emulator; what other programs take of the machine counts little"],
    )
