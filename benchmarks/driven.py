"""A function's handler called in a process of its own, without the emulator between."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.answers import check, write_event
from benchmarks.functions import Function
from benchmarks.measure import ROOT, pinned, run_json
from benchmarks.pictures import Picture
from benchmarks.rows import Options

_DRIVER = ROOT / "benchmarks" / "driver.py"


@dataclass(frozen=True)
class Process:
    """What one process measured.

    Attributes:
        ms: For each picture, in order, the milliseconds of every call by the name of what was
            called: "handler", and "decode" and "network" where they were asked for. "cpu" is the
            time of processors that the handler took, which other programs' load hardly changes.
        start_cpu: Milliseconds of processors from the process' start to the first answer.
        first_peak: The most memory until the first picture's answer, in 10^6 bytes.
        peak: The most until the end.
    """

    ms: tuple[dict[str, list[float]], ...]
    start_cpu: float
    first_peak: float
    peak: float


def drive(
    function: Function,
    pictures: Sequence[Picture],
    calls: int,
    options: Options,
    *,
    cpus: int = 1,
    bare: bool = False,
) -> Process:
    """Start a function in a new process and have it answer each picture so many times.

    Args:
        function: What is called.
        pictures: What it is asked, one after the other.
        calls: Of each, after some that are not counted.
        options: Of the command line.
        cpus: On how many processors it may run.
        bare: Whether the picture's decoding and the network's run are timed alone, too.

    Raises:
        WrongAnswerError: It answers another class.
    """
    folder = Path(tempfile.mkdtemp(dir=options.work))
    command: list[str | Path] = [
        *pinned(cpus),
        *function.python,
        "-P",
        _DRIVER,
        function.module,
        str(calls),
    ]
    command += [write_event(picture) for picture in pictures]
    if bare:
        command += ["--bare", *[picture.path for picture in pictures]]
    measured = run_json(command, env=function.environment(folder), cwd=folder)
    for picture, answer in zip(pictures, measured["answers"], strict=True):
        check(picture, answer)
    shutil.rmtree(folder)
    return Process(
        ms=tuple(measured["ms"]),
        start_cpu=measured["start_cpu_ms"],
        first_peak=measured["first_peak_mb"],
        peak=measured["peak_mb"],
    )
