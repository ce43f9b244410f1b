"""The tables that ``evaluate`` prints on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.output.printing import print_table, result_console

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


def print_evaluation(evaluation: Evaluation, title: str) -> None:
    """Print accuracy, classes, confusions, sources, groups and calibration.

    Of many classes, pairs and groups it prints the worst, and says so.
    """
    console = result_console()
    console.print(title, style="bold")
    _line(console, *_headline(evaluation))
    print_table(_classes(evaluation.classes))
    if evaluation.confused:
        print_table(_confused(evaluation.confused))
    if evaluation.sources:
        print_table(_sources(evaluation.sources))
    failed = [group for group in evaluation.groups if group.accuracy < 1]
    if failed:
        print_table(_groups(failed, len(evaluation.groups)))
    elif evaluation.groups:
        several = f"all {len(evaluation.groups):,} groups of two images or more"
        _line(console, "Groups", f"every answer is right in {several}")
    _line(console, *_calibration(evaluation))
    if evaluation.threshold is not None and evaluation.threshold.value > 0:
        _line(console, *_rejection(evaluation.threshold))


def print_threshold(threshold: Threshold, wanted: float, images: str) -> None:
    """Print the threshold that a precision takes.

    Args:
        threshold: The threshold.
        wanted: The precision.
        images: The images that it was chosen on, such as ``validation images of RUN``.
    """
    of = f"of {threshold.n:,} {images}"
    if threshold.value == 0:
        said = f"{wanted:.4g} is reached without a threshold: {of}, {threshold.precision:.3f}"
    else:
        said = (
            f"{wanted:.4g} takes a threshold of {threshold.value:.4g}: {of}, "
            f"{threshold.coverage:.1%} are answered, and {threshold.precision:.3f} of these answers"
        )
    _line(result_console(), "Precision", f"{said} are right")


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
        classes = sorted(classes, key=lambda one: 1.0 if one.f1 is None else one.f1)[:_CLASSES]
    for heading in ("precision", "recall", "F1", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for figures in classes:
        table.add_row(
            figures.label,
            _fraction(figures.precision, figures.precision_interval),
            _fraction(figures.recall, figures.recall_interval),
            _fraction(figures.f1),
            f"{figures.n:,}",
        )
    return table


def _confused(pairs: Sequence[ConfusedPair]) -> Table:
    table = _table("class")
    table.title = f"The {_PAIRS} most confused pairs" if len(pairs) > _PAIRS else "Confused pairs"
    table.add_column("taken for", overflow="fold")
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("of its images", justify="right", no_wrap=True)
    for pair in pairs[:_PAIRS]:
        table.add_row(pair.truth, pair.answer, f"{pair.n:,}", f"{pair.share:.1%}")
    return table


def _sources(sources: Sequence[SliceFigures]) -> Table:
    if len(sources) <= _SLICES:
        return _slices("source", None, sources)
    title = f"The {_SLICES} sources of {len(sources)} with the lowest accuracy"
    return _slices("source", title, sorted(sources, key=lambda figures: figures.accuracy))


def _groups(failed: Sequence[SliceFigures], groups: int) -> Table:
    """Return the table of the groups with mistakes, most mistakes first."""
    title = f"{len(failed):,} of {groups:,} groups of two images or more have mistakes"
    if len(failed) > _SLICES:
        title += f", these {_SLICES} the most"
    return _slices("group", title, failed)


def _slices(heading: str, title: str | None, slices: Sequence[SliceFigures]) -> Table:
    table = _table(heading)
    table.title = title
    table.add_column("accuracy", justify="right", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    for figures in slices[:_SLICES]:
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
    said = f"below {threshold.value:.4g} the answer is unknown: "
    if threshold.precision is None:
        return "Threshold", f"{said}that is the answer to all of the images"
    said += f"{threshold.coverage:.1%} of the images are answered, {threshold.precision:.3f} of "
    return "Threshold", f"{said}these answers are right"


def _table(heading: str) -> Table:
    table = Table(title_justify="left")
    table.add_column(heading, overflow="fold")
    return table


def _line(console: Console, heading: str, said: str) -> None:
    console.print(Text(f"{heading}:", "bold"), said)


def _fraction(value: float | None, interval: Interval | None = None) -> str:
    """Return a fraction and its 95 % interval; of nothing, a dash."""
    if value is None:
        return "–"
    return f"{value:.3f} ({interval.low:.3f}–{interval.high:.3f})" if interval else f"{value:.3f}"
