"""A warm function: time inside the handler, overhead and memory, and the cost of such times."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any

from benchmarks.driven import drive
from benchmarks.functions import MEMORY, compared_functions, with_int8
from benchmarks.images import image_files
from benchmarks.measure import alternate, series_of
from benchmarks.rows import Goal, Options, Row, Series, compared
from training.cost.prices import read_prices

_CALLS = 40  # for each image in each process
_INT8 = "ONNX, int8"
_GOALS = {
    ("12mp", "ONNX"): Goal(5),
    ("12mp", "TorchScript"): Goal(5),
    ("0.2mp", "ONNX"): Goal(2.5),
    ("0.2mp", _INT8): Goal(4),
    ("0.2mp", "TorchScript"): Goal(2.5),
}
_MEMORY_GOALS = {"ONNX": Goal(4), "TorchScript": Goal(5 / 3)}
_OVERHEAD_GOAL = Goal(1.15, at_most=True)
_DOLLARS_GOAL = Goal(8)
_COLD = 0.01  # share of the requests that find no warm function; `training cost` assumes the same
_REQUESTS = 1_000_000


def rows(options: Options) -> Iterator[Row]:
    """Measure our flavours against the baseline, then the handler against its own bare steps."""
    functions = compared_functions(options)
    functions[_INT8] = with_int8(functions["ONNX"], options)
    images = image_files(options)
    calls = 2 if options.smoke else _CALLS
    sides = {
        name: partial(drive, function, images, calls, options)
        for name, function in functions.items()
    }
    driven = alternate(sides, options.runs)
    for index, image in enumerate(images):
        times = {one.label: one for one in _times(driven, index)}
        for (wanted, name), goal in _GOALS.items():
            if wanted == image.name:
                key = f"warm-{image.name}-p50-{re.sub(r'[^a-z0-9]+', '-', name.lower())}"
                figure = f"Warm, {image.title}, p50, {name}, 1 vCPU"
                yield compared(key, figure, goal, times["baseline"], times[name])
    peaks = {one.label: one for one in series_of(driven, "MB", itemgetter("peak_mb"))}
    for name, goal in _MEMORY_GOALS.items():
        figure = f"Peak memory of a function that answers up to 12 megapixels, {name}"
        yield compared(f"memory-{name.lower()}", figure, goal, peaks["baseline"], peaks[name])

    asked = (images[0], images[-1])
    bare = [drive(functions["ONNX"], asked, calls, options, True) for _ in range(options.runs)]
    for index, image in enumerate(asked):
        steps = [
            replace(_times({"ONNX": bare}, index, step)[0], label=step)
            for step in ("handler", "decode", "network")
        ]
        ratio = steps[0].median / (steps[1].median + steps[2].median)
        figure = f"Handler ÷ (bare decode + bare run), {image.title}, ONNX, 1 vCPU"
        yield Row(f"overhead-{image.name}-onnx", figure, ratio, "", _OVERHEAD_GOAL, steps)
    yield from _dollars(options)


def _dollars(options: Options) -> Iterator[Row]:
    """Price a million requests by the times of earlier rows; nothing where `cold`'s are missing."""
    large, _, small = image_files(options)
    for image in (large, small):
        for name in ("ONNX", "TorchScript"):
            end = name.lower()
            keys = [f"cold-{end}", f"warm-{image.name}-p50-{end}", f"warm-{small.name}-p50-{end}"]
            if not options.earlier.keys() >= {*keys}:
                continue
            sides = []
            for index, side in enumerate(("baseline", name)):
                cold, warm, warm_small = (options.earlier[key].series[index].median for key in keys)
                milliseconds = math.ceil(warm) + _COLD * max(0.0, cold - warm_small)
                seconds = _REQUESTS * milliseconds / 1000
                cost = read_prices().prices["lambda_x86_64"].cost(seconds * int(MEMORY) / 1024)
                sides.append(Series(side, "$", (cost,)))
            figure = f"Compute of a million requests, {image.title}, {name}, 1 % cold"
            yield compared(f"dollars-{image.name}-{end}", figure, _DOLLARS_GOAL, *sides)


def _times(
    driven: dict[str, list[dict[str, Any]]], index: int, step: str = "handler"
) -> list[Series]:
    """Return each process's median of a step's milliseconds for one image, by side."""
    return series_of(driven, "ms", lambda one: statistics.median(one["ms"][index][step]))
