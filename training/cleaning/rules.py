"""The rules by which images are cleaned: their names, what they mean, and their parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from training.errors import TrainingError
from training.files.settings import Settings, change, explain

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

Action = Literal["drop", "keep", "rename"]
_Share = Annotated[float, Field(ge=0, le=1)]
_Distance = Annotated[float, Field(ge=0)]


class Rules(Settings):
    """The parameters of the rules; ``clean --set KEY=VALUE`` changes each.

    Attributes:
        skip: Names of rules that are not applied.
        fix_extensions: Keep an image with a wrong extension, under a name with the right one.
        conflicts: Whether an image that is in two classes is kept, for someone to look at, or
            dropped from both.
        min_side: The shortest side that is kept, in pixels.
        dark: CleanVision's score below which an image is dark, 0…1.
        blurry: CleanVision's score below which an image is blurry, 0…1.
        odd_size: The number of interquartile ranges beyond the quartiles at which a size is odd.
        clusters: K of K-Means.
        max_share: The largest share of the images that an outlying cluster holds …
        min_mads: … and the least distance of its centre from the median, in robust standard
            deviations (1.4826 × the median absolute deviation).
        distance: The most bits, of 64, in which the perceptual hashes of near duplicates differ.
        difference: The largest difference of their thumbnails; see ``duplicates.alike``. With both
            defaults, of 266 photographs 99 % were found again at half the size, 92 % at JPEG
            quality 50, 94 % brightened by a fifth and 38 % with a border of 3 % cut off; hashes
            alone would have taken 280 unlike pairs of 1,327 skies for duplicates.
        seed: Seed of K-Means.
    """

    skip: frozenset[str] = frozenset()
    fix_extensions: bool = False
    conflicts: Literal["keep", "drop"] = "keep"
    min_side: int = Field(default=32, ge=1)
    dark: _Share = 0.32
    blurry: _Share = 0.29
    odd_size: _Distance = 3.0
    clusters: int = Field(default=8, ge=2)
    max_share: _Share = 0.02
    min_mads: _Distance = 4.0
    distance: int = Field(default=10, ge=0, le=64)
    difference: _Distance = 0.25
    seed: int = Field(default=0, ge=0)


def read_rules(skip: Iterable[str], overrides: Iterable[str]) -> Rules:
    """Return the rules that a user asks for.

    Args:
        skip: Names of rules that are not applied.
        overrides: ``key=value`` each: ``dark=0.3``.

    Raises:
        TrainingError: There is no such rule or key, or a value is out of range.
    """
    document: dict[str, Any] = {"skip": [*skip]}
    change(document, overrides, "a parameter of the rules, for example --set dark=0.3")
    try:
        rules = Rules.model_validate(document)
    except ValidationError as error:
        raise TrainingError(f"--set: {explain(error, Rules)}") from error
    if unknown := sorted(rules.skip - MEANING.keys()):
        raise TrainingError(f"There is no rule {unknown[0]!r}. The rules are {', '.join(MEANING)}.")
    return rules


@dataclass(frozen=True)
class Finding:
    """The verdict of a rule on one image."""

    file: str  # path below the root
    label: str
    rule: str
    action: Action  # images that are kept or renamed are only reported
    reason: str
