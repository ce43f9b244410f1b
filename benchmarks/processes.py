"""What a whole process takes, from its start to its end, imports included."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT

_EVERY = 0.05
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Whole:
    """One process that ended well.

    Attributes:
        wall: Seconds from its start to its end.
        cpu: Seconds of processor time, that of its children included.
        memory: The most memory of its own (anonymous pages: no files that it maps) that it or a
            child of it had, 10^6 bytes. (``ru_maxrss`` would count what this process has, too.)
        output: What it printed.
    """

    wall: float
    cpu: float
    memory: float
    output: str

    @property
    def told(self) -> dict[str, Any]:
        """The JSON object in its last line of output."""
        told: dict[str, Any] = json.loads(self.output.splitlines()[-1])
        return told


def run_whole(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Whole:
    """Run a program to its end.

    Args:
        command: The program and its arguments.
        env: Added to this process' environment.

    Raises:
        RuntimeError: It failed; its errors are quoted.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=out, stderr=err, env={**os.environ, **(env or {})}
        )
        peak = _Peak(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        memory = peak.megabytes()
        out.seek(0)
        err.seek(0)
        if status:
            raise RuntimeError(f"{command} failed:\n{err.read()[-4000:].decode(errors='replace')}")
        output = out.read().decode()
    return Whole(wall, usage.ru_utime + usage.ru_stime, memory, output)


class _Peak:
    """Watches the memory of a process and its children from a thread of its own."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._most = 0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def megabytes(self) -> float:
        """Stop watching and return the most that was seen."""
        self._ended.set()
        self._watcher.join()
        return self._most * 1024 / 1e6

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            self._most = max(self._most, *map(_own_kilobytes, self._processes()))

    def _processes(self) -> list[int]:
        """Return the process, and its children as far as they are alive."""
        try:
            children = Path(f"/proc/{self._process}/task/{self._process}/children").read_text()
        except OSError:
            children = ""
        return [self._process, *map(int, children.split())]


def _own_kilobytes(process: int) -> int:
    """Return the anonymous memory of a process, in KiB; 0 if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^RssAnon:\s+(\d+)", status, re.MULTILINE)
    return int(found[1]) if found else 0
