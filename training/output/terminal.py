"""Printing any text: names of files and classes hold whatever their authors put there."""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any

from rich.console import Console
from rich.text import Text

HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff]"
)
"""Characters that command a terminal, reorder a line, cannot be seen, or are no Unicode: a byte of
a file's name that is not UTF-8 is a surrogate. Joiners (U+200C, U+200D) are part of scripts."""

_SURROGATES = re.compile("[\ud800-\udfff]")

# What our own sentences and tables are set in, for a terminal without it.
_SUBSTITUTES = {"…": "...", "–": "-", "·": "/", "×": "x", "→": "->", "“": '"', "”": '"', "’": "'"}
_ERRORS = "training.output.terminal"


class Terminal(Console):
    """A console on which a string is printed as it is: no markup, no emoji codes, no commands.

    What is hidden, and what the stream's encoding lacks, is escaped before a line or a table is
    laid out. Styles are given by ``style`` or with a ``Text``.
    """

    def __init__(self, **options: Any) -> None:
        """Take the options of rich's console."""
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as what is printed of it; rich calls this for lines, cells and titles."""
        return super().render_str(visible(text, self.encoding), **options)


def visible(text: str, encoding: str = "utf-8") -> str:
    r"""Return a text of one line with what is hidden, or not in an encoding, escaped as in JSON.

    A line break becomes ``\n``, a byte that is not UTF-8 ``\udce9``.
    """
    return HIDDEN.sub(_escaped, text).encode(encoding, _ERRORS).decode(encoding)


def is_unicode(text: str) -> bool:
    """Whether a name is text; one that is not UTF-8 holds surrogates in place of its bytes."""
    return not _SURROGATES.search(text)


def short(text: str, longest: int) -> str:
    """Return a text made visible, cut off after some characters."""
    text = visible(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def visible_lines(text: str) -> str:
    """Return a text of several lines, each made visible."""
    return "\n".join(map(visible, text.split("\n")))


def few(names: Iterable[str], most: int = 5, separator: str = ", ") -> str:
    """Return the first of some names, and how many more there are."""
    names = iter(names)
    shown = separator.join(islice(names, most))
    more = sum(1 for _ in names)
    return f"{shown} and {more:,} more" if more else shown


def json_text(value: Any) -> str:
    """Return JSON that is valid on standard output, whatever its encoding."""
    is_unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    return visible_lines(json.dumps(value, indent=2, ensure_ascii=not is_unicode))


def print_any_text() -> None:
    """Let standard output and error take any text: what their encoding lacks is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def _substitute(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    # An escape of any encoding's own is ASCII, which all of them have.
    return "".join(_SUBSTITUTES.get(c, json.dumps(c)[1:-1]) for c in lacking), error.end


codecs.register_error(_ERRORS, _substitute)
