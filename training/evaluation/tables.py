"""The tables that ``evaluate`` prints on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.output.printing import result_console

if TYPE_CHECKING:
    from training.evaluation.figures import (
        ClassFigures,
        ConfusedPair,
        Evaluation,
        Interval,
        SliceFigures,
    )
    from training.evaluation.threshold import Threshold

_CLASSES = 20
_PAIRS = 10
_SLICES = 10
_WIDEST_NAME = 32
_WIDEST_SLICE = 60


def print_evaluation(evaluation: Evaluation, title: str) -> None:
    """Print accuracy, classes, confusions, sources, groups and calibration.

    Of many classes, pairs and groups it prints the worst, and says so.
    """
    console = result_console()
    console.print(title, style="bold", soft_wrap=True)
    _line(console, *_headline(evaluation))
    console.print(_classes(evaluation.classes))
    if evaluation.confused:
        console.print(_confused(evaluation.confused))
    if evaluation.sources:
        console.print(_slices("source", "sources", evaluation.sources))
    failed = [group for group in evaluation.groups if group.accuracy < 1]
    if failed:
        console.print(_slices("group", "groups with mistakes", failed))
    _line(console, *_calibration(evaluation))
    if evaluation.threshold is not None and evaluation.threshold.value > 0:
        _line(console, *_rejection(evaluation.threshold))


def print_threshold(threshold: Threshold, wanted: float) -> None:
    """Print the threshold that a precision takes."""
    console = result_console()
    if threshold.value == 0:
        said = f"{wanted:.4g} is reached without: {threshold.precision:.3f} of all answers"
    else:
        said = (
            f"{wanted:.4g} takes a threshold of {threshold.value:.4g}: of {threshold.n:,} held-out "
            f"images {threshold.coverage:.1%} are answered, {threshold.precision:.3f} of them"
        )
    _line(console, "Precision", f"{said} are right")


def _headline(evaluation: Evaluation) -> tuple[str, str]:
    low, high = evaluation.interval.low, evaluation.interval.high
    said = (
        f"{evaluation.accuracy:.3f} of {evaluation.n:,} images (95 % interval {low:.3f}–{high:.3f})"
    )
    if evaluation.top5 is not None:
        said += f"; top-5 {evaluation.top5:.3f}"
    if evaluation.skipped:
        said += f"; {len(evaluation.skipped):,} skipped"
    return "Accuracy", said


def _classes(classes: Sequence[ClassFigures]) -> Table:
    table = _table("class")
    if len(classes) > _CLASSES:
        table.title = f"The {_CLASSES} classes of {len(classes)} with the lowest F1"
        classes = sorted(classes, key=lambda figures: figures.f1)[:_CLASSES]
    for heading in ("precision", "recall", "F1", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for figures in classes:
        table.add_row(
            figures.label,
            _fraction(figures.precision, figures.precision_interval) if figures.answered else "–",
            _fraction(figures.recall, figures.recall_interval) if figures.n else "–",
            f"{figures.f1:.3f}",
            f"{figures.n:,}",
        )
    return table


def _confused(pairs: Sequence[ConfusedPair]) -> Table:
    table = _table("class")
    table.title = "Most confused"
    table.add_column("taken for", no_wrap=True, max_width=_WIDEST_NAME)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("of its images", justify="right", no_wrap=True)
    for pair in pairs[:_PAIRS]:
        table.add_row(pair.truth, pair.answer, f"{pair.n:,}", f"{pair.share:.1%}")
    return table


def _slices(heading: str, what: str, slices: Sequence[SliceFigures]) -> Table:
    table = _table(heading, _WIDEST_SLICE)
    if len(slices) > _SLICES:
        table.title = f"The worst {_SLICES} of {len(slices)} {what}"
        slices = sorted(slices, key=lambda figures: figures.accuracy)[:_SLICES]
    table.add_column("accuracy", justify="right", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    for figures in slices:
        accuracy = _fraction(figures.accuracy, figures.interval)
        table.add_row(figures.name, accuracy, f"{figures.n:,}")
    return table


def _calibration(evaluation: Evaluation) -> tuple[str, str]:
    calibration = evaluation.calibration
    said = f"confidence is off by {calibration.after.ece:.3f} on average (ECE)"
    if calibration.temperature != 1:
        said += f"; without the temperature {calibration.temperature:.3g}: "
        said += f"{calibration.before.ece:.3f}"
    return "Calibration", said


def _rejection(threshold: Threshold) -> tuple[str, str]:
    said = (
        f"below {threshold.value:.4g} the answer is unknown: {threshold.coverage:.1%} of the "
        f"images are answered, {threshold.precision:.3f} of them are right"
    )
    return "Threshold", said


def _table(heading: str, widest: int = _WIDEST_NAME) -> Table:
    table = Table(title_justify="left")
    table.add_column(heading, no_wrap=True, max_width=widest)
    return table


def _line(console: Console, heading: str, said: str) -> None:
    console.print(Text(f"{heading}:", "bold"), said)


def _fraction(value: float, interval: Interval) -> str:
    """Return a fraction and its 95 % interval."""
    return f"{value:.3f} ({interval.low:.3f}–{interval.high:.3f})"
