"""Plots of the test figures: shares with their intervals, and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.calibration import Calibration, Reliability
from training.evaluation.figures import Evaluation, Interval
from training.output.drawing import BLUE, GREY, RED, RULE, plain_frame, short_name

_ROW = 0.22
"""Inches of height for one line."""
_MOST = 30
"""Lines of one plot, at most."""


def draw_measures(evaluation: Evaluation) -> dict[str, Figure]:
    """Return the figures of an evaluation but its matrices, by name."""
    classes, n = evaluation.classes, f"(n = {evaluation.n:,})"
    recalls = [_Line(one.label, one.recall, one.recall_interval, one.n) for one in classes]
    precisions = [
        _Line(one.label, one.precision, one.precision_interval, one.answered) for one in classes
    ]
    figures = {
        "recall": _shares(f"Recall of each class {n}", recalls),
        "precision": _shares(f"Precision of each class {n}", precisions),
    }
    if evaluation.sources:
        figures["sources"] = _shares(
            "Accuracy of each source",
            [_Line(one.name, one.accuracy, one.interval, one.n) for one in evaluation.sources],
        )
    figures["reliability"] = _reliability(evaluation.calibration)
    return figures


class _Line(NamedTuple):
    """A fraction with its 95 % interval, None where nothing was counted."""

    name: str
    value: float | None
    interval: Interval | None
    n: int


def _shares(title: str, lines: Sequence[_Line]) -> Figure:
    """Draw a point with its interval for each line; of many lines, for the lowest."""
    if len(lines) > _MOST:
        lines = [line for line in lines if line.n]
        title = f"{title}, the {min(_MOST, len(lines))} lowest of {len(lines)}"
        lines = sorted(lines, key=lambda line: line.value or 0)[:_MOST]
    count = len(lines)
    width, height = 9.0, count * _ROW + 1.0
    names = [short_name(name) for name, *_ in lines]
    left = 0.35 + 0.078 * max(len(name) for name in names)
    figure = Figure((width, height))
    figure.subplots_adjust(
        left=left / width, right=1 - 0.8 / width, top=1 - 0.38 / height, bottom=0.52 / height
    )
    axes = figure.subplots()
    for line, (_, value, interval, n) in enumerate(lines):
        if value is not None and interval is not None:
            ends = [interval.low, interval.high]
            axes.plot(ends, [line, line], color=BLUE, linewidth=1.6, alpha=0.5)
            axes.plot([value], [line], "o", color=BLUE, markersize=4.5, clip_on=False)
        axes.annotate(
            f"n = {n:,}",
            (1, line),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=GREY,
        )
    axes.set_yticks(range(count), names)
    axes.set(xlim=(-0.01, 1.01), ylim=(count - 0.4, -0.6), title=title)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("line: 95 % interval")
    plain_frame(axes, grid="x")
    axes.tick_params(axis="y", length=0)
    return figure


def _reliability(calibration: Calibration) -> Figure:
    figure = Figure((9.0, 4.0))
    figure.subplots_adjust(left=0.08, right=0.97, top=0.9, bottom=0.13, wspace=0.16)
    both = (("before", calibration.before), ("after", calibration.after))
    panels = figure.subplots(1, 2, sharey=True)
    for panel, (when, found) in zip(panels, both, strict=True):
        _bars(panel, found)
        temperature = 1.0 if when == "before" else calibration.temperature
        panel.set_title(f"Temperature {temperature:.2f}: ECE {found.ece:.3f}", fontsize=10)
    panels[0].set_ylabel("fraction that is right")
    return figure


def _bars(panel: Axes, found: Reliability) -> None:
    """Draw each bin's accuracy; its gap to the confidence; and how many answers it holds."""
    full = [one for one in found.bins if one.n]
    largest = max((one.n for one in full), default=1)
    for one in full:
        width = one.high - one.low
        middle = (one.low + one.high) / 2
        panel.bar(
            middle, one.accuracy, width * 0.92, color=BLUE, alpha=0.25 + 0.6 * one.n / largest
        )
        panel.plot([one.low, one.high], [one.confidence] * 2, color=RED, linewidth=1.4)
        panel.annotate(f"{one.n}", (middle, 0.015), ha="center", va="bottom", rotation=90)
    panel.plot([0, 1], [0, 1], color=RULE, linewidth=0.8, linestyle="--", zorder=0)
    panel.set(xlim=(0, 1), ylim=(0, 1.02))
    panel.set_xlabel("confidence")
    plain_frame(panel)
