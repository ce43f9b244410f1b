"""The parts of a Markdown page: its links, its anchors, its fenced blocks and commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(`{3,})(.*?)\n(.*?)^\1$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`+([^`\n]+)`+")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ENDS = {"|", "||", "&&", ";", ">", "<", "&"}


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after the fence, and its text."""

    words: tuple[str, ...]
    text: str

    def lines(self) -> list[str]:
        """Return its commands, continued lines joined, without comments and empty lines."""
        joined = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return [line for line in joined if line.strip() and not line.lstrip().startswith("#")]


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [Block(tuple(words.split()), body) for _, words, body in _FENCE.findall(text)]


def spans(text: str) -> list[str]:
    """Return what stands between backticks outside fenced blocks."""
    return _CODE.findall(_prose(text))


def links(text: str) -> list[str]:
    """Return the targets of the links and images outside fenced blocks."""
    return _LINK.findall(_CODE.sub("", _prose(text)))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_prose(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.replace("`", "")).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        numbered = (f"{slug}-{i}" if i else slug for i in range(len(found) + 1))
        found.add(next(name for name in numbered if name not in found))
    return found


def training_arguments(line: str) -> list[str] | None:
    """Return what follows ``-m training`` in a command; None if it is another command."""
    _, found, rest = line.partition("-m training ")
    if not found:
        return None
    lexer = shlex.shlex(rest, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((i for i, word in enumerate(words) if word in _ENDS), len(words))
    return words[:end]


def _prose(text: str) -> str:
    return _FENCE.sub("", text)
