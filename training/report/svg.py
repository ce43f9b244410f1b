"""Figures as inline SVG in the colours and fonts of the page, light or dark."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from PIL import Image

from training.output.drawing import (
    BLUE,
    DPI,
    GREY,
    GRID,
    INK,
    PALE,
    PAPER,
    RED,
    RULE,
    least_width,
)

VARIABLES = {
    INK: "text",
    PAPER: "page",
    BLUE: "plot",
    PALE: "pale",
    RED: "bad",
    GREY: "faint",
    GRID: "grid",
    RULE: "line",
}
"""The page's CSS variable for each colour of the plots; other colours suit both."""

_DPI = 150
"""Of what is too many points for shapes of their own."""


def to_svg(figure: Figure, name: str, says: str) -> Markup:
    """Return a figure as an ``svg`` element.

    Text stays text, so that it is drawn in the reader's fonts, can be searched and needs no space.

    Args:
        figure: To be drawn.
        name: Makes its clip paths' names unique on the page.
        says: Text alternative for screen readers.
    """
    written = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(
            written,
            format="svg",
            transparent=True,
            dpi=_DPI,
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
        )
    text = written.getvalue()
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    assert box is not None
    body = text[text.index(">", box.end()) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' id="[a-zA-Z0-9]+_\d+"', "", body)
    body = re.sub(r"font-family: [^;\"]+;? ?", "", body)
    body = re.sub(r"(fill|stroke): (#[0-9a-f]{6})", _in_variables, body)
    body = re.sub(r">\s+<", "><", body)
    start = f'<svg class="plot" viewBox="{box[0][9:-1]}" role="img" aria-label="{escape(says)}"'
    width = float(box[1])
    size = f'style="--width: {width:.0f}px; --least: {least_width(width, 72)}px"'
    return Markup(f'{start} {size} xmlns:xlink="http://www.w3.org/1999/xlink">{body}')


def to_image(png: Path, says: str) -> Markup:
    """Return a saved figure as an ``img`` element, which a dark page turns to its colours."""
    written = io.BytesIO()
    with Image.open(png) as image:
        image.convert("RGB").save(written, "WEBP", lossless=True)
        width, height = image.size
    code = base64.b64encode(written.getvalue()).decode()
    size = f'width="{width}" height="{height}" style="--least: {least_width(width, DPI)}px"'
    return Markup(
        f'<img class="plot" src="data:image/webp;base64,{code}" {size} alt="{escape(says)}">'
    )


def _in_variables(found: re.Match[str]) -> str:
    variable = VARIABLES.get(found[2])
    return f"{found[1]}: var(--{variable})" if variable else found[0]
