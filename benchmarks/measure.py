"""Measuring in new processes, the sides of a comparison in turn, so that both meet the same noise.

A measured process prints one line of JSON as its last line; `run_json` returns it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.rows import Series

Measured = TypeVar("Measured")
Side = TypeVar("Side")

ROOT = Path(__file__).resolve().parent.parent


def alternate(
    sides: Mapping[Side, Callable[[], Measured]], runs: int
) -> dict[Side, list[Measured]]:
    """Run each side once, then each again: A B A B.

    Args:
        sides: What measures a side once, in a new process.
        runs: How often each side is measured.
    """
    measured: dict[Side, list[Measured]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, measure in sides.items():
            measured[name].append(measure())
    return measured


def times_better(baseline: Series, ours: Series, *, more_is_better: bool = False) -> float:
    """Return how many times better ours is than the baseline, median against median.

    Args:
        baseline: What is usual.
        ours: What we do, in the same unit.
        more_is_better: For throughput; else less is better, as of times and memory.
    """
    better, worse = (ours, baseline) if more_is_better else (baseline, ours)
    return better.median / worse.median


def run_json(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path = ROOT,
    cpus: int | None = None,
) -> dict[str, Any]:
    """Run a program to its end and return the JSON object that its last line of output holds.

    Args:
        command: The program and its arguments.
        env: Its whole environment, but for PATH.
        cwd: Where it runs.
        cpus: On how many processors it may run; None for all.

    Raises:
        RuntimeError: It failed; its errors are quoted.
    """
    done = subprocess.run(
        [*pinned(cpus), *command],
        env={"PATH": os.environ["PATH"], **env},
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stderr[-4000:]}")
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def pinned(cpus: int | None) -> list[str]:
    """Return what, before a command, leaves it so many of the processors that there are."""
    allowed = sorted(os.sched_getaffinity(0))[-(cpus or 0) :]
    return ["taskset", "--cpu-list", ",".join(map(str, allowed))]


def slug(figure: str, side: str, cpus: int) -> str:
    """Return a row's name, such as "cold-onnx" or "cold-onnx-2-vcpus"."""
    words = re.sub(r"[^a-z0-9.]+", "-", f"{figure} {side}".lower())
    return words if cpus == 1 else f"{words}-{cpus}-vcpus"


def vcpus(cpus: int) -> str:
    """Return how many processors a function had, in words."""
    return "1 vCPU" if cpus == 1 else f"{cpus} vCPUs"
