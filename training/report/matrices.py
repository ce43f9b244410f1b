"""Confusion matrices that stay readable with many classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from training.output.drawing import BLUE, INK, PAPER, RULE, short_name

MOST_CELLS = 20
"""Classes up to which every cell has its number; of more, some are shown so."""
_WORST = 20

OTHERS = "all others"

_TICKS = 20
_DARK = 0.55
"""The share from which on a cell's number is in the colour of the paper."""

Matrix = NDArray[np.float64]


def draw_matrices(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> dict[str, Figure]:
    """Return the matrix with counts and with shares of each class's images, by name.

    With many classes: all of them without numbers, and those that are confused most with.
    """
    matrix = np.array(counts, dtype=np.float64)
    if len(labels) <= MOST_CELLS:
        names = [short_name(label, 24) for label in labels]
        titles = "Confusion matrix, images", "Confusion matrix, shares of each class"
        return {
            "confusion": _cells(matrix, names, names, titles[0], "{:.0f}"),
            "confusion_normalised": _cells(_normalised(matrix), names, names, titles[1], "{:.2f}"),
        }
    return {
        "confusion_normalised": _overview(matrix, labels),
        "confusion": _of_the_worst(matrix, labels),
    }


def most_confused(matrix: Matrix, count: int) -> list[int]:
    """Return the classes of the pairs that are confused most often, the worst first."""
    mistakes = matrix - np.diag(matrix.diagonal())
    pairs = np.argsort(-mistakes, axis=None, kind="stable")
    rows, columns = np.unravel_index(pairs, matrix.shape)
    both = np.column_stack([rows, columns]).ravel().tolist()
    return list(dict.fromkeys(both))[:count]


def _of_the_worst(matrix: Matrix, labels: Sequence[str]) -> Figure:
    worst = most_confused(matrix, _WORST)
    shown = matrix[np.ix_(worst, worst)]
    others = matrix[worst].sum(1) - shown.sum(1)
    names = [short_name(labels[label], 24) for label in worst]
    title = f"The {len(worst)} classes that are confused most, images"
    whole = np.column_stack([shown, others])
    return _cells(whole, names, [*names, OTHERS], title, "{:.0f}")


def _cells(
    matrix: Matrix, rows: Sequence[str], columns: Sequence[str], title: str, number: str
) -> Figure:
    """Draw each cell as a square, the deeper the larger its share of its row."""
    side = 0.62 if len(rows) <= 10 else 0.36
    longest = max(len(name) for name in [*rows, *columns])
    names = 0.25 + 0.08 * longest
    slanted = len(columns) <= 10
    below = 0.6 * names + 0.35 if slanted else names + 0.35
    width = max(names + side * len(columns) + 0.7, 4.6)
    height = 0.5 + side * len(rows) + below
    figure = Figure((width, height))
    figure.subplots_adjust(
        left=(names + 0.25) / width,
        right=(names + 0.25 + side * len(columns)) / width,
        bottom=below / height,
        top=1 - 0.4 / height,
    )
    axes = figure.subplots()
    depth = _normalised(matrix)
    for row, column in np.ndindex(*matrix.shape):
        share = float(depth[row, column])
        if matrix[row, column]:
            axes.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=BLUE, alpha=max(share, 0.06))
            )
            axes.text(
                column,
                row,
                number.format(matrix[row, column]),
                ha="center",
                va="center",
                color=PAPER if share > _DARK else INK,
            )
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    if slanted:
        for tick in axes.get_xticklabels():
            tick.set(rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color=RULE, linewidth=0.4)
    _finish(axes, title)
    return figure


def _overview(matrix: Matrix, labels: Sequence[str]) -> Figure:
    """Draw all classes as an image of one pixel a cell, and name a few of them."""
    figure = Figure((9.4, 9.2))
    figure.subplots_adjust(left=0.25, right=0.98, bottom=0.25, top=0.96)
    axes = figure.subplots()
    pixels = np.empty((*matrix.shape, 4))
    pixels[..., :3] = to_rgb("#3f7fc4")  # neither black nor white: seen on both
    pixels[..., 3] = np.sqrt(_normalised(matrix))  # so that single mistakes are seen
    axes.imshow(pixels, interpolation="none", aspect="auto")
    step = -(-len(labels) // _TICKS)
    ticks = range(0, len(labels), step)
    names = [f"{short_name(labels[tick], 20)} · {tick + 1}" for tick in ticks]
    axes.set_xticks(ticks, names, rotation=90)
    axes.set_yticks(ticks, names)
    _finish(axes, f"Confusion matrix of all {len(labels)} classes, every {step}th named")
    return figure


def _normalised(matrix: Matrix) -> Matrix:
    shares: Matrix = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    return shares


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("answer")
    axes.set_ylabel("truth")
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_color(RULE)
