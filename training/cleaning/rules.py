"""The rules by which images are cleaned: their names, what they mean, and their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MEANING = {
    "unreadable": "the file cannot be read, or disappeared during the run",
    "empty": "0 bytes",
    "no-image": "no image by its name, and none by its content",
    "undecodable": "named like an image, but it cannot be decoded",
    "truncated": "an image that is cut short",
    "too-many-pixels": "more pixels than are ever decoded here",
    "wrong-extension": "the name ends otherwise than the content demands",
    "too-small": "a side is shorter than the network can use",
    "dark": "CleanVision: even the bright parts are dark",
    "blurry": "CleanVision: hardly an edge",
    "odd-size": "CleanVision: far smaller or larger than the other images",
    "file-size-cluster": "K-Means over file size: in a small cluster far from the rest",
    "side-cluster": "K-Means over height and width: in a small cluster far from the rest",
    "label-conflict": "the same image stands in another class",
    "leak": "the same image stands in another part of the split",
    "exact-duplicate": "the same bytes stand in its class already",
    "near-duplicate": "the same image stands in its class already",
}
"""Each rule, in the order in which they are applied; the first that fits decides."""

Conflicts = Literal["keep", "drop"]
Action = Literal["drop", "keep", "rename"]


@dataclass(frozen=True)
class Rules:
    """The rules' parameters.

    Attributes:
        skip: Names of rules that are not applied.
        fix_extensions: Keep an image whose name ends wrongly, under a name that ends rightly.
        min_side: Pixels of the shortest side that is kept.
        dark: CleanVision's score below which an image is dark, 0…1.
        blurry: CleanVision's score below which an image is blurry, 0…1.
        odd_size: How many interquartile ranges beyond the quartiles a size is odd.
        clusters: K of K-Means.
        max_share: A cluster is outlying only if it holds at most this fraction of the images …
        min_mads: … and its centre lies at least this far from the median, in robust standard
            deviations (1.4826 × the median absolute deviation).
        distance: How many of the 64 bits of two near duplicates' perceptual hashes differ at most.
        difference: How far their thumbnails differ at most; see ``duplicates.alike``.
        conflicts: Whether images that stand in two classes are kept, for someone to look at, or
            dropped from both.
        seed: Random seed of K-Means.
    """

    skip: frozenset[str] = frozenset()
    fix_extensions: bool = False
    min_side: int = 32
    dark: float = 0.32
    blurry: float = 0.29
    odd_size: float = 3.0
    clusters: int = 8
    max_share: float = 0.02
    min_mads: float = 4.0
    distance: int = 10
    difference: float = 0.25
    conflicts: Conflicts = "keep"
    seed: int = 0


@dataclass(frozen=True)
class Finding:
    """The verdict of a rule on one image."""

    file: str  # path below the root
    label: str
    rule: str
    action: Action  # images that are kept or renamed are only reported
    reason: str
