"""How pictures of any size reach the network: the seeds' three strategies.

Each has a test-time form, which goes into ``model.json``, and a training form: picture operations
that are applied once, before pictures are cached, and random ones that are drawn at each access.

| strategy | once, before the cache | each access | test time |
|---|---|---|---|
| ``squash`` (seed 002) | resize 512 × 512 | random_resized_crop 224 | resize 224 × 224 |
| ``pad_crop`` (seed 003) | pad 224 × 224 | random_crop 224 | pad, center_crop 224 × 224 |
| ``variable`` (seed 001) | fit | – | fit |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_loader import Normalize, Resize, Transform
from model_loader.operations import CenterCrop, Fit, ImageOp, Pad
from training.data.augment import SIZING, Augmentation, nearest
from training.errors import TrainingError

MIN_SIDE = 32
"""Pixels that the shorter side has at least with ``variable``: MobileNetV2 halves it 5 times."""


@dataclass(frozen=True)
class Strategy:
    """One way to bring pictures to size.

    Attributes:
        name: In a recipe.
        test_ops: Picture operations of the test transform.
        train_ops: Picture operations of training, applied once.
        crops: Augmentation entries of training that come before a recipe's own.
    """

    name: str
    test_ops: tuple[ImageOp, ...]
    train_ops: tuple[ImageOp, ...]
    crops: tuple[Mapping[str, Any], ...] = ()

    def transform(self, normalize: Normalize) -> Transform:
        """Return the test transform, for ``model.json``."""
        return Transform(self.test_ops, normalize)

    def augmentation(self, entries: Sequence[Mapping[str, Any]]) -> Augmentation:
        """Return a recipe's list after this strategy's crops.

        A list that begins with a crop or resize of its own replaces the strategy's.

        Raises:
            TrainingError: The list is wrong; see ``Augmentation``.
        """
        own = bool(entries) and isinstance(entries[0], Mapping) and entries[0].get("op") in SIZING
        return Augmentation([*(() if own else self.crops), *entries])


def squash(size: int) -> Strategy:
    """Return seed 002's: what is squashed to 512 for a network of 224 px, and so in proportion."""
    large = round(size * 512 / 224)
    crop = {"op": "random_resized_crop", "size": size}
    return Strategy("squash", (Resize(size, size),), (Resize(large, large),), (crop,))


def pad_crop(size: int) -> Strategy:
    """Return seed 003's: small pictures are padded, large ones cropped, none is scaled."""
    pad = Pad(size, size)
    crop = {"op": "random_crop", "size": size}
    return Strategy("pad_crop", (pad, CenterCrop(size, size)), (pad,), (crop,))


def variable(size: int) -> Strategy:
    """Return seed 001's: each picture keeps its aspect ratio, and its size up to ``size`` squared.

    In training as in the test; of a larger picture the area becomes ``size`` × ``size``.
    """
    fit = Fit(MIN_SIDE, size * size)
    return Strategy("variable", (fit,), (fit,))


STRATEGIES: dict[str, Callable[[int], Strategy]] = {
    "squash": squash,
    "pad_crop": pad_crop,
    "variable": variable,
}
"""By name; each takes the size in pixels, which a stage may lower (progressive resizing)."""


def get_strategy(name: str, size: int = 224) -> Strategy:
    """Return a strategy by its name.

    Args:
        name: One of ``STRATEGIES``.
        size: The side of the network's input in pixels, 32 to 1792; of ``variable``, the square
            root of the largest area.

    Raises:
        TrainingError: There is none of that name, or the size is out of range.
    """
    if name not in STRATEGIES:
        raise TrainingError(f"unknown strategy {name!r}; {nearest(name, list(STRATEGIES))}")
    if not MIN_SIDE <= size <= 1792:
        raise TrainingError(f"strategy {name}: the size must be 32 to 1792 pixels, not {size}.")
    return STRATEGIES[name](size)
