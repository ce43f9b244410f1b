"""What a user gives to train on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataSource:
    """A folder of class folders, and how it is split.

    Attributes:
        folder: One folder of images for each class.
        groups: A CSV of groups that a split must not tear apart.
        split: A CSV that the verb ``split`` wrote; without it the recipe's fractions split.
    """

    folder: Path
    groups: Path | None = None
    split: Path | None = None
