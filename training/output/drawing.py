"""The style of all plots, for paper and for pages that may be dark."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from training.files.atomic import replacing
from training.output.fonts import PREFERRED
from training.output.terminal import visible

INK, PAPER = "#000000", "#ffffff"
BLUE, PALE, RED, GREY = "#3b6ea5", "#c9d9ea", "#b03a2e", "#888888"
GRID, RULE = "#e5e5e5", "#bbbbbb"

SMALLEST = 9
"""Points of the smallest text of a plot; pages show plots so large that it has 11 px."""

DPI = 100
"""Of a PNG."""
_LONGEST_LABEL = 30


@contextmanager
def style() -> Iterator[None]:
    """Draw and save figures in the project's style within this context."""
    installed = {font.name for font in fontManager.ttflist}
    fonts = [font for font in PREFERRED if font in installed] or ["sans-serif"]
    # A glyph that no font has is drawn as a box: the image is still of use.
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with (
            matplotlib.rc_context(
                {"font.family": fonts, "font.size": SMALLEST, "axes.axisbelow": True}
            ),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            yield
    finally:
        logger.setLevel(level)


def plain_frame(axes: Axes, grid: Literal["both", "x"] = "both") -> None:
    """Draw a grid, and of the frame only the left and the lower edge, in a light colour."""
    axes.grid(axis=grid, color=GRID)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(color=RULE)


def short_name(label: str, longest: int = _LONGEST_LABEL) -> str:
    """Return a label that is no formula to matplotlib and no longer than fits.

    What is too long loses its middle, for names often differ in their ends.

    An underscore in front would keep it out of legends; a space before it changes that.
    """
    name = visible(label)
    if len(name) > longest:
        end = longest // 3
        name = f"{name[: longest - end - 1]}…{name[-end:]}"
    name = name.replace("$", r"\$")
    return f" {name}" if name.startswith("_") else name


def least_width(width: float, dpi: int) -> int:
    """Return the CSS pixels that a plot is wide if its smallest text has 11 of them.

    Args:
        width: The plot's width in dots.
        dpi: Dots of an inch.
    """
    return round(width * 11 / (SMALLEST * dpi / 72))


def save_png(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, and return its path."""
    FigureCanvasAgg(figure)
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=DPI)
    return path
