"""Images of a folder of images: how many, how heavy and how large, class by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from training.cleaning.inspection import Inspection
from training.data.headers import Header
from training.output.drawing import (
    BLUE,
    GREY,
    GRID,
    PALE,
    RED,
    RULE,
    SMALLEST,
    save_png,
    short_name,
    style,
)

_ROW = 0.2
"""Inches of height for one class in a list of classes."""
_FEW = 6
"""Classes up to which panels are large."""
_MANY = 24
"""Classes from which on panels are small, and a list has a scale on top too."""
_MANY_POINTS = 2000
"""Points of a panel that are pixels, also in an image of lines."""


def draw_plots(inspection: Inspection, folder: Path) -> list[Path]:
    """Draw images per class, file sizes and sides per class as PNG; return the paths."""
    with style():
        figures = data_figures(inspection)
        return [save_png(figure, folder / f"{name}.png") for name, figure in figures.items()]


def data_figures(inspection: Inspection) -> dict[str, Figure]:
    """Return the figures that ``draw_plots`` saves, by name."""
    return {
        "images_per_class": _images_per_class(inspection),
        "file_sizes": _file_sizes(inspection),
        "heights_and_widths": _heights_and_widths(inspection),
    }


def _images_per_class(inspection: Inspection) -> Figure:
    classes = inspection.classes
    counts = [summary.images for summary in classes]
    figure, axes = _list_of_classes(inspection, f"Images per class (n = {sum(counts):,})")
    bars = axes.barh(range(len(classes)), counts, color=BLUE, height=0.7)
    axes.bar_label(bars, [f"{count:,}" for count in counts], padding=3)
    axes.set_xlim(0, max(counts) * 1.12)
    axes.set_xlabel("images")
    return figure


def _file_sizes(inspection: Inspection) -> Figure:
    by_class = _by_class(inspection)
    sizes = [[one.bytes / 1024 for one in headers if one.bytes] for headers in by_class]
    figure, axes = _list_of_classes(inspection, "File size per class")
    axes.boxplot(
        [values or [math.nan] for values in sizes],
        orientation="horizontal",
        positions=range(len(sizes)),
        widths=0.6,
        whis=(5, 95),
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": PALE, "edgecolor": BLUE},
        medianprops={"color": RED},
        whiskerprops={"color": BLUE},
        capprops={"color": BLUE},
        flierprops={"marker": ".", "markersize": 2, "markeredgecolor": GREY},
    )
    everything = [size for values in sizes for size in values] or [1]
    if max(everything) > 10 * min(everything):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_plain)
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("KiB (box: the middle half; line: the median; whiskers: 5 … 95 %)")
    return figure


def _heights_and_widths(inspection: Inspection) -> Figure:
    by_class = _by_class(inspection)
    many = len(by_class) > _MANY
    few = len(by_class) <= _FEW
    columns = min(len(by_class), 3 if few else 7 if many else 4)
    rows = math.ceil(len(by_class) / columns)
    figure, panels = _panels(rows, columns, side=2.9 if few else 1.4 if many else 2.2)
    whole = [header for header in inspection.headers if header.problem is None]
    low, high, logarithmic = _limits(whole)
    for number, (summary, headers) in enumerate(zip(inspection.classes, by_class, strict=True)):
        panel = panels[number]
        _scatter(panel, headers)
        panel.plot([low, high], [low, high], color=RULE, linewidth=0.6, zorder=0)
        if logarithmic:
            panel.set(xscale="log", yscale="log")
        panel.set(xlim=(low, high), ylim=(low, high))
        name = short_name(summary.label, 30 if few else 15 if many else 26)
        title = f"{name} (n = {summary.images:,})" if few else name
        panel.set_title(title, fontsize=SMALLEST, pad=3)
        lowest = number + columns >= len(by_class)
        ticks = _ticks(low, high, logarithmic, 3 if many else 4)
        _mark(panel, ticks, left=number % columns == 0, below=lowest)
    for panel in panels[len(by_class) :]:
        panel.set_visible(False)
    width, height = figure.get_size_inches()
    title = f"Height and width per class (n = {len(whole):,}; the grey line is square)"
    figure.suptitle(title, y=1 - 0.3 / height)
    figure.supxlabel("width, pixels", y=0.15 / height)
    figure.supylabel("height, pixels", x=0.15 / width)
    return figure


def _panels(rows: int, columns: int, side: float) -> tuple[Figure, list[Axes]]:
    """Return a grid of square panels; laid out by hand, for 200 take a layout engine 30 s."""
    left, right, above, below, gap = 0.85, 0.2, 0.75, 0.65, 0.3
    width = max(left + right + columns * side, 6.2)
    height = above + below + rows * side
    figure = Figure((width, height))
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        top=1 - above / height,
        bottom=below / height,
        wspace=0.12,
        hspace=gap / (side - gap),
    )
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _limits(headers: Sequence[Header]) -> tuple[float, float, bool]:
    """Return the smallest and largest side to show, and whether a logarithmic scale suits."""
    sides = [side for header in headers for side in (header.width, header.height)] or [1]
    return min(sides) / 1.15, max(sides) * 1.15, max(sides) > 6 * min(sides)


def _ticks(low: float, high: float, logarithmic: bool, count: int) -> list[float]:
    """Return about ``count`` round numbers from ``low`` to ``high``."""
    if logarithmic:
        powers = [2.0**power for power in range(math.ceil(math.log2(low)), 40) if 2**power < high]
        return powers[:: math.ceil(len(powers) / count)]
    return [tick for tick in MaxNLocator(count).tick_values(low, high) if low <= tick <= high]


def _mark(panel: Axes, ticks: Sequence[float], left: bool, below: bool) -> None:
    names = [f"{tick:g}" for tick in ticks]
    panel.set_xticks(ticks, names if below else [""] * len(ticks))
    panel.set_yticks(ticks, names if left else [""] * len(ticks))
    panel.minorticks_off()
    panel.tick_params(length=2, pad=2)


def _scatter(panel: Axes, headers: Sequence[Header]) -> None:
    sides = [(header.width, header.height) for header in headers if header.problem is None]
    widths, heights = zip(*sides, strict=True) if sides else ((), ())
    alpha = min(1.0, max(0.25, 30 / (len(sides) or 1)))
    many = len(sides) > _MANY_POINTS
    panel.scatter(widths, heights, 10, BLUE, alpha=alpha, linewidths=0, rasterized=many)
    panel.set_box_aspect(1)


def _list_of_classes(inspection: Inspection, title: str) -> tuple[Figure, Axes]:
    """Return a figure with one line for each class, the first on top."""
    count = len(inspection.classes)
    figure = Figure((9, max(2.2, count * _ROW + 1.2)))
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    axes.set_yticks(range(count), [short_name(s.label) for s in inspection.classes])
    axes.set_ylim(count - 0.4, -0.6)
    axes.grid(axis="x", color=GRID)
    if count > _MANY:
        axes.tick_params(axis="x", top=True, labeltop=True)
    axes.set_title(title)
    return figure, axes


def _by_class(inspection: Inspection) -> list[list[Header]]:
    found: dict[str, list[Header]] = {summary.label: [] for summary in inspection.classes}
    for header in inspection.headers:
        found[header.label].append(header)
    return list(found.values())


def _plain(value: float, _: float | None = None) -> str:
    return f"{value:,.10g}"
