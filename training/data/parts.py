"""The three parts of a split, and the usual names of their folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")

_SPELLINGS: dict[Part, str] = {
    "train": "train|training|trainval",
    "validation": "val|valid|validation|validate|dev",
    "test": "test|testing|eval|evaluation|holdout",
}
_UNLABELLED = "pred|predict|prediction|predictions|unlabelled|unlabeled"
_DECORATION = "(?:sets?|data|datasets?|images?|imgs?|pictures?|photos?|seg|split|folder)"


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """A folder whose images are all of one class.

    Attributes:
        path: Path below the data folder, with '/' as separator.
        label: The class.
        part: The part of the split that holds its images; None if nothing is split yet.
    """

    path: str
    label: str
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class PartName:
    """The name of a folder that holds a part of a split.

    Attributes:
        part: The part.
        rest: The rest of the name: 'birds' in 'birds_train'; empty for 'Train' and 'test_set'.
    """

    part: Part
    rest: str


def read_part_name(name: str) -> PartName | None:
    """Return the part that a folder's name means; None if no word of it is one."""
    parts: list[Part] = []
    rest = []
    for word in re.findall(r"[^\W\d_]+", name.casefold()):
        part = next((part for part in PARTS if _is(word, _SPELLINGS[part])), None)
        if part:
            parts.append(part)
        elif not re.fullmatch(_DECORATION, word):
            rest.append(word)
    return PartName(parts[0], " ".join(rest)) if len(parts) == 1 else None


def is_unlabelled(name: str) -> bool:
    """Return whether a folder's name says that its images have no labels: 'seg_pred', say."""
    return any(_is(word, _UNLABELLED) for word in re.findall(r"[^\W\d_]+", name.casefold()))


def is_wrapper(name: str, part: Part) -> bool:
    """Return whether a folder in a part only wraps it: 'images', or the part's name again."""
    return bool(re.fullmatch(_DECORATION, name.casefold())) or read_part_name(name) == PartName(
        part, ""
    )


def _is(word: str, spellings: str) -> bool:
    return bool(re.fullmatch(f"(?:{spellings}){_DECORATION}?", word))
