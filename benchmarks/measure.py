"""Measuring in new processes, the sides of a comparison in turn: both meet the same noise."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.rows import Series

Measured = TypeVar("Measured")

ROOT = Path(__file__).resolve().parent.parent

_EVERY = 0.05  # seconds between two looks at the memory


def alternate(sides: Mapping[str, Callable[[], Measured]], runs: int) -> dict[str, list[Measured]]:
    """Run each side once, then each again: A B A B; return their measurements."""
    measured: dict[str, list[Measured]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, measure in sides.items():
            measured[name].append(measure())
    return measured


def series_of(
    measured: Mapping[str, list[Measured]], unit: str, value: Callable[[Measured], float]
) -> list[Series]:
    """Return a series for each side, with one value of each of its measurements."""
    return [Series(side, unit, tuple(map(value, each))) for side, each in measured.items()]


def on_one_cpu() -> list[str]:
    """Return the words that, before a command, leave it one of the processors that there are."""
    return ["taskset", "--cpu-list", str(max(os.sched_getaffinity(0)))]


@dataclass(frozen=True)
class Process:
    """A process that succeeded.

    Attributes:
        seconds: Time from its start to its end.
        megabytes: Peak of the anonymous memory (no mapped files) of it or of one of its children,
            10^6 bytes. (`ru_maxrss` would include this process's.)
        output: Its standard output.
    """

    seconds: float
    megabytes: float
    output: str

    @property
    def result(self) -> dict[str, Any]:
        """The JSON object in its last line of output."""
        result: dict[str, Any] = json.loads(self.output.splitlines()[-1])
        return result


def run_process(
    command: Sequence[str | Path], env: Mapping[str, str] = os.environ, cwd: Path = ROOT
) -> Process:
    """Run a program to its end.

    Raises:
        RuntimeError: It failed; its errors are quoted.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, stdout=out, stderr=err, env=env)
        kilobytes, ended = [0], threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, kilobytes, ended))
        watcher.start()
        status = process.wait()
        seconds = time.perf_counter() - begin
        ended.set()
        watcher.join()
        out.seek(0)
        err.seek(0)
        if status:
            raise RuntimeError(f"{command} failed:\n{err.read()[-4000:].decode(errors='replace')}")
        return Process(seconds, max(kilobytes) * 1024 / 1e6, out.read().decode())


def _watch(process: int, kilobytes: list[int], ended: threading.Event) -> None:
    """Note the memory of a process and of its children until it has ended."""
    children = Path(f"/proc/{process}/task/{process}/children")
    while not ended.wait(_EVERY):
        with suppress(OSError):  # one of them has ended
            for each in (str(process), *children.read_text().split()):
                found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{each}/status").read_text())
                kilobytes.append(int(found[1]) if found else 0)
