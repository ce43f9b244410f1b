"""Cold start: from the first event, with which the emulator starts the process, to its answer."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.driven import check, event_file
from benchmarks.functions import Function, compared_functions
from benchmarks.images import ImageFile, image_files
from benchmarks.measure import alternate, series_of
from benchmarks.rows import Goal, Options, Row, compared

_GOALS = {"ONNX": Goal(12), "TorchScript": Goal(2)}


def rows(options: Options) -> Iterator[Row]:
    """Measure both flavours against the baseline."""
    image = image_files(options)[-1]
    sides = {
        name: partial(_start, function, image, options)
        for name, function in compared_functions(options).items()
    }
    usual, *ours = series_of(alternate(sides, options.runs), "ms", float)
    for one in ours:
        figure = f"Cold start, {one.label}, 1 vCPU"
        yield compared(f"cold-{one.label.lower()}", figure, _GOALS[one.label], usual, one)


def _start(function: Function, image: ImageFile, options: Options) -> float:
    """Start a function in a new process with an empty temporary folder, and ask it once."""
    event = json.loads(event_file(image).read_text())
    with (
        tempfile.TemporaryDirectory(dir=options.work) as folder,
        function.emulated(Path(folder)) as emulator,
    ):
        begin = time.perf_counter()
        response = emulator.invoke(event)
        milliseconds = 1000 * (time.perf_counter() - begin)
    check(image, response)
    return milliseconds
