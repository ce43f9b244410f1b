"""Training against a loop as it is usually written: a frozen backbone, stages, a single step."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.labelled import labelled_folder, parts_of
from benchmarks.measure import alternate, times_better
from benchmarks.processes import Whole, run_whole
from benchmarks.rows import Goal, Options, Row, Series, WrongAnswerError
from benchmarks.usual_training import BATCH

LONG_RUNS = 3
"""Of each side, where one takes minutes."""

_WARM_UP = 5
"""Steps that are not counted."""

_APART = 0.05
"""Accuracy on the validation images by which two sides may differ."""

_WHOLE = (
    "whole processes, imports and decoding included; what the verb `train` does after the last "
    "epoch (export, evaluation, report) is left out, as the loop does none of it"
)
_TUNED = "the loop has channels_last, the allocator and the waiting policy of ours"
_MEASURED = "ours also measures the training images after each epoch, the loop the validation's"


@dataclass(frozen=True)
class _Case:
    name: str
    figure: str
    stages: tuple[str, ...]
    goal: Goal


_CASES = (
    _Case("frozen-backbone", "25 epochs on a frozen backbone", ("head:25",), Goal(20)),
    _Case(
        "staged-run",
        "A staged run (10 epochs the head, 10 the last 3 blocks, 3 all)",
        ("head:10", "3:10", "all:3"),
        Goal(2.5),
    ),
)
_SMOKE_STAGES = ("head:6", "3:2")
_SMOKE_LEAST = 0.4
"""Accuracy that a side reaches that learns: of four classes, on a handful of images."""


def rows(options: Options) -> Iterator[Row]:
    """Measure whole runs, then steps."""
    folder = labelled_folder(options)
    parts = parts_of(folder, options)
    for case in _CASES[1:] if options.smoke else _CASES:
        stages = _SMOKE_STAGES if options.smoke else case.stages
        measured = _measure(folder, parts, stages, True, options)
        yield from _whole_runs(case, measured, options)
    if not options.smoke:
        measured = _measure(folder, parts, ["all:1"], False, options)
    yield _steps(measured)


def _measure(
    folder: Path, parts: Path, stages: Sequence[str], tuned: bool, options: Options
) -> dict[str, list[Whole]]:
    sides = {
        "baseline": partial(_usual, parts, stages, tuned),
        "ours": partial(_ours, folder, stages),
    }
    return alternate(sides, min(options.runs, LONG_RUNS))


def _whole_runs(case: _Case, measured: dict[str, list[Whole]], options: Options) -> Iterator[Row]:
    alike = _alike(measured, options)
    for kind, goal in (("wall", case.goal), ("cpu", None)):
        series = {
            side: Series(side, "s", tuple(getattr(whole, kind) for whole in wholes))
            for side, wholes in measured.items()
        }
        yield Row(
            name=f"{case.name}-{kind}",
            figure=f"{case.figure}, {'wall time' if kind == 'wall' else 'processor time'}",
            result=times_better(series["baseline"], series["ours"]),
            unit="×",
            goal=goal,
            series=[*series.values()],
            notes=[_WHOLE, _TUNED, _MEASURED, alike],
        )


def _steps(measured: dict[str, list[Whole]]) -> Row:
    series = {
        side: Series(side, "ms/image", tuple(map(_per_image, wholes)))
        for side, wholes in measured.items()
    }
    return Row(
        name="full-step",
        figure=f"A step of full fine-tuning, batches of {BATCH}",
        result=times_better(series["baseline"], series["ours"]),
        unit="×",
        goal=Goal(2.5),
        series=[*series.values()],
        notes=[
            "wall time of the middle step; the loop decodes in its workers meanwhile, ours has "
            "decoded before; the loop's allocator and memory format are left alone"
        ],
    )


def _per_image(whole: Whole) -> float:
    seconds: list[float] = whole.told["seconds"]
    counted = seconds[_WARM_UP:] if len(seconds) > 2 * _WARM_UP else seconds
    return statistics.median(counted) / BATCH * 1e3


def _usual(parts: Path, stages: Sequence[str], tuned: bool) -> Whole:
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.usual_training", parts, *stages]
    return run_whole([*command, "--tuned"] if tuned else command)


def _ours(folder: Path, stages: Sequence[str]) -> Whole:
    return run_whole([sys.executable, "-m", "benchmarks.our_training", folder, *stages])


def _alike(measured: dict[str, list[Whole]], options: Options) -> str:
    """Compare the accuracies: a quick run that learns nothing is worth nothing."""
    usual, ours = (
        statistics.median(whole.told["accuracy"] for whole in measured[side])
        for side in ("baseline", "ours")
    )
    if min(usual, ours) < _SMOKE_LEAST if options.smoke else ours < usual - _APART:
        raise WrongAnswerError(
            f"Ours reaches {ours:.1%} of the validation images, the loop {usual:.1%}."
        )
    return f"validation accuracy {ours:.1%}, of the loop {usual:.1%}"
