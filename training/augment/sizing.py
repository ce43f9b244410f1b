"""Sizing strategies: how images of any size become the network's input.

Each has a test-time form, which goes into ``model.json``, and a training form: image operations
that are applied once, before images are cached, and random ones that are drawn at each access.

| strategy | once, before the cache | each access | test time |
|---|---|---|---|
| ``squash`` (document 002) | resize 512 × 512 | random_resized_crop 224 | resize 224 × 224 |
| ``pad_crop`` (document 003) | pad 224 × 224 | random_crop 224 | pad, center_crop 224 × 224 |
| ``variable`` (document 001) | fit | – | fit |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_loader import Normalize, Resize, Transform
from model_loader.operations import CenterCrop, Fit, ImageOp, Pad
from training.augment.augmentations import SIZING, Augmentation, nearest
from training.errors import TrainingError

MIN_SIDE = 32
"""Pixels that the shorter side has at least with ``variable``: MobileNetV2 halves it 5 times."""


@dataclass(frozen=True)
class Strategy:
    """One way to bring images to size.

    Attributes:
        name: Name in a recipe.
        test_ops: Image operations of the test transform.
        train_ops: Image operations of training, applied once.
        side: Pixels of each side of the network's input; None where each image keeps its shape.
        start: The smallest side that ``train_ops`` leave.
        crops: Augmentation entries of training that come before a recipe's own.
        defaults: By operation, the parameters that keep an augmented image at the test's size;
            they hold where a recipe's entry leaves them out.
    """

    name: str
    test_ops: tuple[ImageOp, ...]
    train_ops: tuple[ImageOp, ...]
    side: int | None
    start: int
    crops: tuple[Mapping[str, Any], ...] = ()
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def transform(self, normalize: Normalize) -> Transform:
        """Return the test transform, for ``model.json``."""
        return Transform(self.test_ops, normalize)

    def augmentation(self, entries: Sequence[Mapping[str, Any]]) -> Augmentation:
        """Return a recipe's list after this strategy's crops, at the size of the test transform.

        A list that begins with a crop or resize of its own replaces the strategy's.

        Raises:
            TrainingError: The list is wrong, see ``Augmentation``, or gives images another size
                than the test transform.
        """
        own = bool(entries) and isinstance(entries[0], Mapping) and entries[0].get("op") in SIZING
        augmentation = Augmentation(
            [self._filled(entry) for entry in (*(() if own else self.crops), *entries)]
        )
        if self.side is None:
            _keeps_shapes(augmentation)
        else:
            _makes(augmentation, self.side, self.start)
        return augmentation

    def _filled(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("op"), str):
            return entry  # Augmentation says what is wrong with it
        return {"op": entry["op"], **self.defaults.get(entry["op"], {}), **entry}


def _makes(augmentation: Augmentation, side: int, start: int) -> None:
    """Check that images of ``start`` pixels a side or more end with ``side`` × ``side``."""
    height = width = start
    for name, step in augmentation.sizing:
        wanted = tuple(step.size)
        if not getattr(step, "pad_if_needed", True) and (height < wanted[0] or width < wanted[1]):
            raise TrainingError(
                f"augmentation: {name} cannot cut {wanted[0]} × {wanted[1]} pixels from "
                f"{height} × {width}; leave pad_if_needed out."
            )
        height, width = wanted
    if (height, width) != (side, side):
        raise TrainingError(
            f"augmentation: {augmentation.sizing[-1][0]} makes images of {height} × {width} pixels "
            f"for training, but the test transform makes {side} × {side}; leave its size out, or "
            "make them equal."
        )


def _keeps_shapes(augmentation: Augmentation) -> None:
    if augmentation.sizing:
        raise TrainingError(
            f"augmentation: {augmentation.sizing[0][0]} makes images of one size for training, but "
            "the strategy variable keeps the shape of each; leave it out."
        )
    for entry in augmentation.entries:
        if entry.get("keep_shape", True) is not True:
            raise TrainingError(
                f"augmentation: {entry['op']} swaps the height and width of images, but the "
                "strategy variable keeps the shape of each; leave keep_shape out."
            )


def squash(size: int) -> Strategy:
    """Return document 002's: squashed, for training to 512 / 224 times the size first."""
    large = round(size * 512 / 224)
    crop = {"op": "random_resized_crop"}
    resize, first = Resize(size, size), Resize(large, large)
    return Strategy("squash", (resize,), (first,), size, large, (crop,), _crops_of(size))


def pad_crop(size: int) -> Strategy:
    """Return document 003's: small images are padded, large ones cropped, none is scaled."""
    pad = Pad(size, size)
    crop = {"op": "random_crop"}
    crops = (crop,)
    return Strategy(
        "pad_crop", (pad, CenterCrop(size, size)), (pad,), size, size, crops, _crops_of(size)
    )


def variable(size: int) -> Strategy:
    """Return document 001's: images keep their shape; larger areas become ``size`` × ``size``."""
    fit = Fit(MIN_SIDE, size * size)
    turn = {"random_rotate90": {"keep_shape": True}}
    return Strategy("variable", (fit,), (fit,), None, MIN_SIDE, defaults=turn)


def _crops_of(size: int) -> Mapping[str, Mapping[str, Any]]:
    return {op: {"size": size} for op in ("random_resized_crop", "random_crop")}


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
