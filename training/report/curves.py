"""Plots of the training history against epochs."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.output.drawing import BLUE, GREY, PALE, RED, plain_frame, short_name
from training.report.history import FIGURES, History, Values, batch_times

_HALF = (4.8, 2.9)
_WHOLE = (9.0, 3.0)
_PANEL = 2.6
"""Inches of height for one row of panels."""

LINES = ("#3f7fc4", "#d9822b", "#2f9e6e", "#c2579c", "#b8a12a", "#7c6bd6", "#d0594f", "#2aa5b5")
"""Distinguishable colours on white and on black."""

_SHOWN = len(LINES)
"""Classes with a curve each; of more, the worst ones have one."""
_WORST = 5

_FAR_APART = 20
"""Ratio of two stages' values above which the scale is logarithmic."""
_MANY = 3000
"""Points of a line from which on it is an image in the page."""
_ABOVE = 15
"""Points between a panel and its title, where the stages' numbers stand."""


def draw_curves(history: History, labels: tuple[str, ...]) -> dict[str, Figure]:
    """Return a figure for each thing that was noted, by name."""
    figures = {}
    if history.ranges:
        figures["learning_rate_range"] = _range_tests(history)
    figures["learning_rate"] = _rate(history)
    if history.steps:
        figures["batch_loss"] = _batch_loss(history)
    figures["loss"] = _loss_or_accuracy(history, "loss")
    figures["accuracy"] = _loss_or_accuracy(history, "accuracy")
    figures["seconds"] = _seconds(history)
    figures["classes"] = _classes(history, labels)
    return figures


def _range_tests(history: History) -> Figure:
    count = len(history.ranges)
    figure = Figure((min(9.0, 1.2 + 3.9 * count), 3.0), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False)[0]
    for panel, (stage, (rates, losses)) in zip(panels, history.ranges.items(), strict=True):
        panel.plot(rates, losses, color=BLUE)
        panel.set(xscale="log", title=f"Stage {stage + 1}", xlabel="learning rate")
        panel.minorticks_off()
        chosen = history.highest_rate(stage)
        if chosen is not None:
            panel.axvline(chosen, color=RED, linewidth=1, linestyle="--")
            loss = float(np.interp(np.log(chosen), np.log(rates), losses))
            panel.plot([chosen], [loss], "o", color=RED, markersize=5)
            panel.set_title(f"Stage {stage + 1}: {chosen:.2g} chosen")
        plain_frame(panel)
    panels[0].set_ylabel("loss, smoothed")
    return figure


def _rate(history: History) -> Figure:
    figure, axes = _over_epochs(history, "Learning rate")
    if history.steps:
        axes.plot(batch_times(history.steps), history.steps["learning_rate"], color=BLUE)
    else:
        axes.plot(_ends(history), history.epochs["learning_rate"], color=BLUE)
    highest = [rate for span in history.spans if (rate := history.highest_rate(span.number))]
    if highest and max(highest) > _FAR_APART * min(highest):
        axes.set(yscale="log", ylim=(min(highest) / 30, max(highest) * 1.6))
        axes.minorticks_off()
    else:
        axes.set_ylim(0)
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    return figure


def _batch_loss(history: History) -> Figure:
    """Draw each batch's loss, and a running mean: the training's, the validation's beside it.

    The mean is over a fiftieth of the steps, or over all validation images.
    """
    figure = Figure(_WHOLE, layout="constrained")
    parts = {"Training": history.steps, "Validation": history.validation_steps}
    drawn = {name: steps for name, steps in parts.items() if len(steps.get("loss", ()))}
    panels = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    highest = 0.0
    for axes, (name, steps) in zip(panels, drawn.items(), strict=True):
        _set_up(history, axes, f"{name} loss of each batch")
        times, losses = batch_times(steps), steps["loss"]
        batches = int(np.unique(steps["epoch"], return_counts=True)[1].max())
        width = max(3, len(losses) // 50) if steps is history.steps else batches
        many = len(losses) > _MANY
        axes.plot(times, losses, color=BLUE, alpha=0.35, linewidth=0.6, rasterized=many)
        for span in history.spans:
            where = steps["stage"] == span.number
            if not where.any():  # begun by a version that did not keep them, and resumed
                continue
            mean = _running_mean(losses[where], width)
            axes.plot(times[where], mean, color=BLUE, linewidth=1.4, marker=_marker(where.sum()))
        highest = max(highest, float(np.quantile(losses, 0.995)))
    panels[0].set_ylim(0, highest * 1.15)
    return figure


def _loss_or_accuracy(history: History, name: Literal["loss", "accuracy"]) -> Figure:
    figure, axes = _over_epochs(history, name.capitalize())
    train, validation = (history.epochs[f"{part}_{name}"] for part in ("train", "validation"))
    ends, best = _ends(history), history.best
    marker = _marker(len(ends))
    axes.plot(ends, train, color=GREY, linestyle="--", marker=marker, label="train")
    axes.plot(ends, validation, color=BLUE, marker=marker, label="validation")
    kept = ([ends[best]], [validation[best]])
    axes.plot(*kept, "o", color=RED, markersize=5, label="weights kept", clip_on=False)
    axes.legend(frameon=False)
    if name == "loss":
        axes.set_ylim(0)
    else:
        axes.set_ylim(max(0.0, float(min(train.min(), validation.min())) - 0.05), 1.0)
        axes.yaxis.set_major_formatter("{x:.0%}")
    return figure


def _seconds(history: History) -> Figure:
    figure, axes = _over_epochs(history, "Seconds an epoch")
    seconds = history.epochs["seconds"]
    if seconds.max() > _FAR_APART * seconds.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    axes.bar(_ends(history) - 0.5, seconds, color=BLUE, width=0.8)
    return figure


def _classes(history: History, labels: tuple[str, ...]) -> Figure:
    """Draw precision, recall and F1 of each class, or of many: how they spread, and the worst."""
    parts = ("train", "validation")
    figure = Figure((9.0, 2 * _PANEL + 0.9), layout="constrained")
    panels = figure.subplots(len(parts), len(FIGURES), sharex=True, sharey=True)
    worst = _worst(history, len(labels))
    colours = LINES if len(labels) <= _SHOWN else LINES[1:]  # the first is near the median's
    for row, part in zip(panels, parts, strict=True):
        for axes, figures in zip(row, FIGURES, strict=True):
            name = "F1" if figures == "f1" else figures.capitalize()
            _set_up(history, axes, f"{name}, {part}")
            values = history.classes[part, figures]
            if len(labels) > _SHOWN:
                _spread(axes, _ends(history), values)
            for colour, label in zip(colours, worst, strict=False):
                name = short_name(labels[label], 24)
                axes.plot(_ends(history), values[:, label], color=colour, linewidth=1.2, label=name)
            axes.set_ylim(-0.02, 1.02)
            axes.yaxis.set_major_formatter("{x:.0%}")
            axes.label_outer()
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _worst(history: History, classes: int) -> list[int]:
    """Return all classes, or of many those of the lowest F1 in the epoch that was kept."""
    if classes <= _SHOWN:
        return list(range(classes))
    order = np.argsort(history.classes["validation", "f1"][history.best], kind="stable")
    return [int(label) for label in order[:_WORST]]


def _spread(axes: Axes, ends: Values, values: Values) -> None:
    lowest, low, middle, high, highest = np.nanquantile(values, [0, 0.25, 0.5, 0.75, 1], axis=1)
    axes.fill_between(ends, lowest, highest, color=GREY, alpha=0.15, linewidth=0, label="all")
    axes.fill_between(
        ends, low, high, color=BLUE, alpha=0.3, linewidth=0, label="middle half of the classes"
    )
    axes.plot(ends, middle, color=BLUE, linewidth=1.6, label="median")


def _over_epochs(history: History, title: str) -> tuple[Figure, Axes]:
    figure = Figure(_HALF, layout="constrained")
    axes = figure.subplots()
    _set_up(history, axes, title)
    return figure, axes


def _set_up(history: History, axes: Axes, title: str) -> None:
    _mark_stages(history, axes)
    axes.set_title(title, pad=_title_pad(history))
    axes.set_xlabel("epoch")
    plain_frame(axes)


def _marker(points: int) -> str:
    """Return what shows a line of one point."""
    return "." if points < 2 else ""


def _title_pad(history: History) -> float:
    return _ABOVE if len(history.spans) > 1 else 6


def _mark_stages(history: History, axes: Axes) -> None:
    """Shade every second stage, and number each above the panel."""
    spans = history.spans
    axes.set_xlim(0, spans[-1].last + 1)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    if len(spans) < 2:
        return
    for span in spans:
        if span.number % 2:
            axes.axvspan(span.first, span.last + 1, color=PALE, alpha=0.35, linewidth=0, zorder=0)
        axes.annotate(
            str(span.number + 1),
            ((span.first + span.last + 1) / 2, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            color=GREY,
        )


def _ends(history: History) -> Values:
    return np.arange(1.0, len(history.epochs["stage"]) + 1)


def _running_mean(values: Values, width: int) -> Values:
    width = min(width, len(values))
    kernel = np.ones(width)
    same = np.convolve(values, kernel, mode="same")[: len(values)]
    return same / np.convolve(np.ones(len(values)), kernel, mode="same")[: len(values)]
