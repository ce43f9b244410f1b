"""A font that has the letters of a class name, whatever its script."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache

from matplotlib.font_manager import fontManager, get_font
from PIL import ImageFont

PREFERRED = ("DejaVu Sans", "Noto Sans", "Noto Sans CJK JP", "Arial Unicode MS", "Unifont")
"""Tried in this order, then all installed fonts; the first comes with matplotlib."""

_BOXES = frozenset({"Last Resort", "Last Resort High-Efficiency"})
"""They have every letter, as a box that names its script; matplotlib brings one along."""


@lru_cache(256)
def fitted(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    r"""Return a text, and a font of ``size`` pixels that draws it.

    Where no installed font has all of its letters, those that the first font lacks are written as
    ``\u9ce5``, so that names can still be told apart.
    """
    wanted = frozenset(map(ord, text))
    path = next((path for path in _installed() if wanted <= _letters(path)), None)
    if path is None:
        path = _installed()[0]
        known = _letters(path)
        text = "".join(
            letter if ord(letter) in known else letter.encode("ascii", "backslashreplace").decode()
            for letter in text
        )
    return text, ImageFont.truetype(path, size)


def unwritten(texts: Iterable[str]) -> list[str]:
    """Return the texts that no installed font has all letters of."""
    return [text for text in texts if fitted(text, 20)[0] != text]


@cache
def _installed() -> tuple[str, ...]:
    rank = {name: number for number, name in enumerate(PREFERRED)}
    upright = [f for f in fontManager.ttflist if f.style == "normal" and f.name not in _BOXES]
    weights = {f: abs(f.weight - 400) if isinstance(f.weight, int) else 0 for f in upright}
    upright.sort(key=lambda f: (rank.get(f.name, len(rank)), weights[f], f.fname))
    return tuple(dict.fromkeys(font.fname for font in upright))


@cache
def _letters(path: str) -> frozenset[int]:
    try:
        return frozenset(get_font(path).get_charmap())
    except (OSError, RuntimeError):  # a damaged font, or one that has gone
        return frozenset()
