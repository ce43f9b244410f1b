"""Augmentation: named operations that a recipe chooses from.

A recipe lists operations with their parameters, ``[{op: rotate, limit: 15}, {op: cutout}]``; each
parameter that is not given has albumentations' or torchvision's default. Operations take and
return an image as uint8 [3, H, W] and draw from torch's default random generator only.

Crops and resizes must come first, so that the others work on the fewest pixels.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Annotated, Any, cast

import torch
from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict, ValidationError, validate_call
from torch import Tensor

from training.augment.grid_distortion import GridDistortion
from training.errors import TrainingError
from training.files.settings import nearest
from training.torchvision_import import torchvision

_v2 = import_module(f"{torchvision.__name__}.transforms.v2")
_BILINEAR = torchvision.transforms.InterpolationMode.BILINEAR

Step = Callable[[Tensor], Tensor]
Chance = Annotated[float, Ge(0), Le(1)]
Pixels = Annotated[int, Ge(1), Le(4096)]
Share = Annotated[float, Ge(0), Le(1)]
Positive = Annotated[float, Gt(0), Le(1000)]

SIZING = frozenset({"resize", "random_resized_crop", "random_crop"})
"""Operations that decide on the size of what follows; they must come first."""


def resize(height: Pixels, width: Pixels) -> Step:
    """Squash to ``height`` × ``width``, bilinear with antialiasing."""
    return cast(Step, _v2.Resize((height, width)))


def random_resized_crop(
    size: Pixels = 224,
    scale: tuple[Positive, Positive] = (0.08, 1.0),
    ratio: tuple[Positive, Positive] = (0.75, 4 / 3),
) -> Step:
    """Cut a random share ``scale`` of the area, width:height ``ratio``; squash it to ``size``."""
    _ascending(scale=scale, ratio=ratio)
    return cast(Step, _v2.RandomResizedCrop(size, scale, ratio))


def random_crop(size: Pixels = 224, pad_if_needed: bool = True) -> Step:
    """Cut ``size`` × ``size`` pixels at a random place.

    A smaller image is padded with black, or, without ``pad_if_needed``, an error.
    """
    return cast(Step, _v2.RandomCrop(size, pad_if_needed=pad_if_needed))


def cutout(
    p: Chance = 0.5,
    scale: tuple[Positive, Annotated[float, Lt(1)]] = (0.02, 0.33),
    ratio: tuple[Positive, Positive] = (0.3, 3.3),
) -> Step:
    """Black out a rectangle of a random share ``scale`` of the area."""
    _ascending(scale=scale, ratio=ratio)
    return cast(Step, _v2.RandomErasing(p, scale, ratio))


def horizontal_flip(p: Chance = 0.5) -> Step:
    """Swap left and right."""
    return cast(Step, _v2.RandomHorizontalFlip(p))


def rotate(limit: Annotated[float, Ge(0), Le(180)] = 90, p: Chance = 0.5) -> Step:
    """Turn by up to ``limit`` degrees either way, bilinear, black corners."""
    return _sometimes(_v2.RandomRotation(limit, interpolation=_BILINEAR), p)


def brightness_contrast(brightness: Share = 0.2, contrast: Share = 0.2, p: Chance = 0.5) -> Step:
    """Multiply brightness and contrast by random factors of 1 ± these limits."""
    return _sometimes(_v2.ColorJitter(brightness=brightness, contrast=contrast), p)


def hue_saturation(
    hue: Annotated[float, Ge(0), Le(0.5)] = 20 / 180,
    saturation: Share = 30 / 255,
    value: Share = 20 / 255,
    p: Chance = 0.5,
) -> Step:
    """Turn the hue by up to ``hue`` of the circle; multiply saturation and value by 1 ± these."""
    jitter = _v2.ColorJitter(brightness=value, saturation=saturation, hue=hue)
    # Hue is the one operation that is faster on contiguous planes.
    return _sometimes(lambda image: jitter(image.contiguous()), p)


def shift_scale_rotate(
    shift: Share = 0.0625,
    scale: Annotated[float, Ge(0), Lt(1)] = 0.1,
    rotate: Annotated[float, Ge(0), Le(180)] = 45,
    p: Chance = 0.5,
) -> Step:
    """Move by up to ``shift`` of a side, scale by 1 ± ``scale``, turn by up to ``rotate`` degrees.

    Bilinear, black around it.
    """
    affine = _v2.RandomAffine(
        rotate, (shift, shift), (1 - scale, 1 + scale), interpolation=_BILINEAR
    )
    return _sometimes(affine, p)


def grid_distortion(
    steps: Annotated[int, Ge(1), Le(100)] = 5,
    limit: Annotated[float, Ge(0), Lt(1)] = 0.3,
    p: Chance = 0.5,
) -> Step:
    """Stretch and shrink the columns and rows of a grid; see ``GridDistortion``."""
    return _sometimes(GridDistortion(steps, limit), p)


def random_rotate90(p: Chance = 0.5, keep_shape: bool = False) -> Step:
    """Turn by 0, 90, 180 or 270 degrees.

    With ``keep_shape``, an image that is not square is turned by 0 or 180 degrees only, so that
    images of one size stay so.
    """

    def turn(image: Tensor) -> Tensor:
        quarters = int(torch.randint(4, ()))
        if keep_shape and image.shape[-1] != image.shape[-2]:
            quarters = quarters // 2 * 2
        return image.rot90(quarters, (-2, -1))

    return _sometimes(turn, p)


OPERATIONS: dict[str, Callable[..., Step]] = {
    operation.__name__: operation
    for operation in (
        resize,
        random_resized_crop,
        random_crop,
        cutout,
        horizontal_flip,
        rotate,
        brightness_contrast,
        hue_saturation,
        shift_scale_rotate,
        grid_distortion,
        random_rotate90,
    )
}
"""The operations by their names in a recipe; their parameters are those of the functions."""


class Augmentation:
    """A list of operations, applied in order: uint8 [3, H, W] → uint8 [3, H', W']."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Build the operations of a recipe's list.

        Raises:
            TrainingError: An operation or parameter is unknown, a value is wrong, or a crop or
                resize comes after another kind of operation.
        """
        self._steps = [_build(entry) for entry in entries]
        self.entries = [dict(entry) for entry in entries]
        self._check_order()

    def __call__(self, image: Tensor) -> Tensor:
        """Return an augmented copy of an image."""
        for step in self._steps:
            image = step(image)
        return image

    def __reduce__(self) -> tuple[type[Augmentation], tuple[list[dict[str, Any]]]]:
        """Pickle as the entries, for spawned processes."""
        return Augmentation, (self.entries,)

    @property
    def sizing(self) -> list[tuple[str, Any]]:
        """The crops and resizes: names and torchvision's operations, which have a ``size``."""
        pairs = zip(self.entries, self._steps, strict=True)
        return [(entry["op"], step) for entry, step in pairs if entry["op"] in SIZING]

    def _check_order(self) -> None:
        other = ""
        for entry in self.entries:
            if entry["op"] not in SIZING:
                other = entry["op"]
            elif other:
                raise TrainingError(
                    f"augmentation: {entry['op']!r} comes after {other!r}. Put crops and resizes "
                    "first, so that what follows works on the pixels that are kept."
                )


def _build(entry: object) -> Step:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("op"), str):
        raise TrainingError(
            f"augmentation: {entry!r} is no operation; write {{op: NAME, PARAMETER: VALUE}} with "
            f"one of {', '.join(OPERATIONS)}."
        )
    name = str(entry["op"])
    if name not in OPERATIONS:
        hint = nearest(name, list(OPERATIONS))
        raise TrainingError(f"augmentation: unknown operation {name!r}; {hint}")
    operation = OPERATIONS[name]
    known = inspect.signature(operation).parameters
    for key, value in entry.items():
        if key not in ("op", *known):
            raise TrainingError(
                f"augmentation: {name} has no parameter {key!r}; {nearest(str(key), list(known))}"
            )
        if isinstance(value, bool) and known[key].annotation != "bool":
            raise TrainingError(f"augmentation: {name}: {key} must not be true or false.")
    build = validate_call(config=ConfigDict(strict=False))(operation)
    try:
        return build(**{key: value for key, value in entry.items() if key != "op"})
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "missing_argument":
            raise TrainingError(f"augmentation: {name} needs {first['loc'][0]!r}.") from error
        where = ".".join(map(str, first["loc"]))
        raise TrainingError(
            f"augmentation: {name}: {where}: {first['msg']} (it is {first['input']!r})."
        ) from error
    except ValueError as error:
        raise TrainingError(f"augmentation: {name}: {error}.") from error


def _sometimes(step: Step, p: float) -> Step:
    def apply(image: Tensor) -> Tensor:
        return step(image) if torch.rand(()) < p else image

    return apply


def _ascending(**ranges: tuple[float, float]) -> None:
    for name, (low, high) in ranges.items():
        if low > high:
            raise ValueError(f"{name} must be two ascending numbers, not {low} and {high}")
