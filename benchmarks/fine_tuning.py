"""Training against the usual loop: a frozen backbone, a staged run, a single step."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.images import labelled_folder, split_folder
from benchmarks.measure import Process, alternate, run_process, series_of
from benchmarks.rows import Goal, Options, Row, WrongAnswerError, compared
from benchmarks.usual_training import BATCH

_LONG_RUNS = 3  # of each side, where one takes minutes
_WARM_UP = 5  # steps that are not counted
_APART = 0.05  # accuracy on the validation images by which two sides may differ
_SMOKE_LEAST = 0.4  # accuracy that a side reaches that learns: of four classes, on a few images

_CASES = {
    "frozen-backbone": ("25 epochs on a frozen backbone", ("head:25",), Goal(20)),
    "staged-run": (
        "A staged run (10 epochs the head, 10 the last 3 blocks, 3 all)",
        ("head:10", "3:10", "all:3"),
        Goal(2.5),
    ),
}
_SMOKE_CASES = {"staged-run": ("A staged run", ("head:6", "3:2"), Goal(2.5))}


def rows(options: Options) -> Iterator[Row]:
    """Measure whole processes, imports and decoding included, then steps.

    What `train` does after the last epoch (export, evaluation, report) is left out. Ours also
    measures the training images after each epoch, the loop the validation images alone.
    """
    for name, (title, stages, goal) in (_SMOKE_CASES if options.smoke else _CASES).items():
        # The loop has channels-last, the allocator and the waiting policy of ours.
        measured = _measure(stages, ("--tuned",), options)
        _check_accuracy(measured, options)
        seconds = series_of(measured, "s", lambda process: process.seconds)
        yield compared(f"{name}-wall", f"{title}, wall time", goal, *seconds)
    if not options.smoke:
        measured = _measure(["all:1"], (), options)
    # The loop decodes in its workers meanwhile; ours has decoded before.
    figure = f"A step of full fine-tuning, batches of {BATCH}"
    times = series_of(measured, "ms/image", _per_image)
    yield compared("full-step", figure, Goal(2.5), *times)


def _measure(
    stages: Sequence[str], tuned: Sequence[str], options: Options
) -> dict[str, list[Process]]:
    python: list[str | Path] = [sys.executable, "-m"]
    usual = [*python, "benchmarks.usual_training", split_folder(options), *stages, *tuned]
    ours = [*python, "benchmarks.our_training", labelled_folder(options), *stages]
    sides = {"baseline": partial(run_process, usual), "ours": partial(run_process, ours)}
    return alternate(sides, min(options.runs, _LONG_RUNS))


def _per_image(process: Process) -> float:
    """Return the milliseconds for each image of a step, by the middle one."""
    seconds: list[float] = process.result["seconds"]
    counted = seconds[_WARM_UP:] if len(seconds) > 2 * _WARM_UP else seconds
    return statistics.median(counted) / BATCH * 1e3


def _check_accuracy(measured: dict[str, list[Process]], options: Options) -> None:
    """Raise WrongAnswerError where ours learns less: then its speed says nothing."""
    usual, ours = (
        statistics.median(one.result["accuracy"] for one in measured[side])
        for side in ("baseline", "ours")
    )
    if min(usual, ours) < _SMOKE_LEAST if options.smoke else ours < usual - _APART:
        raise WrongAnswerError(
            f"Ours reaches {ours:.1%} of the validation images, the loop {usual:.1%}."
        )
