"""A warm function: from the event to the answer, inside the handler."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.driven import Process, drive
from benchmarks.functions import baseline_and_ours, int8_zip
from benchmarks.measure import alternate, slug, times_better, vcpus
from benchmarks.pictures import pictures, png_picture
from benchmarks.rows import Goal, Options, Row, Series

CALLS = 40
"""Of each picture in each process."""

GOALS = {"12mp": Goal(5), "12mp-progressive": Goal(5), "0.2mp": Goal(2.5)}
INT8_GOALS = {**GOALS, "0.2mp": Goal(4)}

_INT8 = "ONNX, int8"
"""An option of `export`; whether accuracy would allow it is not asked here."""


def median(times: list[float]) -> float:
    """Return p50."""
    return statistics.median(times)


def slowest_percent(times: list[float]) -> float:
    """Return p99; of fewer than a hundred, between the slowest two."""
    return statistics.quantiles(times, n=100, method="inclusive")[98]


PERCENTILES: dict[str, Callable[[list[float]], float]] = {"p50": median, "p99": slowest_percent}


def rows(options: Options) -> Iterator[Row]:
    """Measure both flavours against the baseline, on one processor, as it ships, and on two."""
    functions = {**baseline_and_ours(options), _INT8: int8_zip(options)}
    asked = (*pictures(options), png_picture(options))
    calls = 2 if options.smoke else CALLS
    for cpus in (1,) if options.smoke else (1, 2):
        sides = {
            name: partial(drive, function, asked, calls, options, cpus=cpus)
            for name, function in functions.items()
        }
        processes = alternate(sides, options.runs)
        for index, picture in enumerate(asked):
            for percentile, of in PERCENTILES.items() if cpus == 1 else [("p50", median)]:
                usual, *busy = _series("baseline", processes["baseline"], index, of)
                for name in ("ONNX", _INT8, "TorchScript"):
                    ours, *ours_busy = _series(name, processes[name], index, of)
                    goals = INT8_GOALS if name == _INT8 else GOALS
                    yield Row(
                        name=slug(f"warm-{picture.name}-{percentile}", name, cpus),
                        figure=f"Warm, {picture.title}, {percentile}, {name}, {vcpus(cpus)}",
                        result=times_better(usual, ours),
                        unit="×",
                        goal=goals.get(picture.name) if cpus == 1 else None,
                        series=[usual, ours, *busy, *ours_busy],
                        notes=[f"{calls} calls in each process: p99 is nearly the slowest"],
                    )


def _series(
    name: str, processes: list[Process], index: int, of: Callable[[list[float]], float]
) -> list[Series]:
    """Return what the clock says, and what of it the processors worked."""
    clocks = {name: "handler", f"{name}: processor": "cpu"}
    return [
        Series(label, "ms", tuple(of(process.ms[index][clock]) for process in processes))
        for label, clock in clocks.items()
    ]
