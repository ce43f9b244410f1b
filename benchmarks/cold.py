"""Cold start: from the first event, which starts the process, to its answer."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.answers import check, write_event
from benchmarks.functions import Function, baseline_and_ours, onnx_zip
from benchmarks.measure import alternate, slug, times_better, vcpus
from benchmarks.pictures import Picture, pictures
from benchmarks.rows import Goal, Options, Row, Series
from tools.local_aws.install import OWN_RUNTIME, RUNTIME

GOALS = {"ONNX": Goal(12), "TorchScript": Goal(2)}

_INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)")
_INVOKE = re.compile(r"INVOKE RTDONE\(.*duration: ([\d.]+)")
_LOG_SECONDS = 2.0


@dataclass(frozen=True)
class Start:
    """Milliseconds of one cold start.

    Attributes:
        total: From the event's sending, with which Lambda's emulator starts the process, to the
            whole answer.
        init: Of it, until the handler waits for events: imports and what they do.
        invoke: Of it, in the handler: what is left of the model's loading, and the answer.
    """

    total: float
    init: float
    invoke: float


def rows(options: Options) -> Iterator[Row]:
    """Measure both flavours against the baseline, on one processor and on two."""
    functions = baseline_and_ours(options)
    picture = pictures(options)[-1]
    if RUNTIME != OWN_RUNTIME and not options.smoke:
        functions["ONNX, the baseline's Python"] = onnx_zip(options, OWN_RUNTIME, sys.executable)
    for cpus in (1,) if options.smoke else (1, 2):
        sides = {
            name: partial(_start, function, picture, options, cpus)
            for name, function in functions.items()
        }
        starts = alternate(sides, options.runs)
        usual = _series("baseline", starts["baseline"])
        for name, function in functions.items():
            if name == "baseline":
                continue
            ours = _series(name, starts[name])
            yield Row(
                name=slug("cold", name, cpus),
                figure=f"Cold start, {name}, {vcpus(cpus)}",
                result=times_better(usual[0], ours[0]),
                unit="×",
                goal=GOALS.get(name) if cpus == 1 else None,
                series=[*usual, *ours],
                notes=[f"{functions['baseline'].runtime} against {function.runtime}"],
            )


def _start(function: Function, picture: Picture, options: Options, cpus: int) -> Start:
    """Start a function in a new process, with nothing in its temporary folder, and ask it once."""
    folder = Path(tempfile.mkdtemp(dir=options.work))
    event = json.loads(write_event(picture).read_text())
    with function.emulated(folder, cpus) as emulator:
        begin = time.perf_counter()
        response = emulator.invoke(event)
        total = 1000 * (time.perf_counter() - begin)
        init, invoke = _reported(folder / "emulator.log")
    check(picture, response)
    shutil.rmtree(folder)
    return Start(total, init, invoke)


def _reported(log: Path) -> tuple[float, float]:
    """Return the milliseconds of init and of the first event that the emulator has written."""
    deadline = time.monotonic() + _LOG_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text()
        init, invoke = _INIT.search(text), _INVOKE.search(text)
        if init and invoke:
            return float(init[1]), float(invoke[1])
        time.sleep(0.01)
    raise RuntimeError(f"The emulator does not say how long the start took:\n{text[-2000:]}")


def _series(name: str, starts: list[Start]) -> list[Series]:
    return [
        Series(name, "ms", tuple(start.total for start in starts)),
        Series(f"{name}: init", "ms", tuple(start.init for start in starts)),
        Series(f"{name}: first event", "ms", tuple(start.invoke for start in starts)),
    ]
