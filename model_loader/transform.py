"""The test transform: from a decoded picture to the network's input.

It is stored in ``model.json`` as a list of named operations, so that serving and evaluation apply
the very transform that the model was tested with. Each step reproduces torchvision's on PIL
images (``Resize``, ``ToTensor``, ``Normalize``) without importing torchvision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_loader.errors import ModelCorruptError, ModelIncompatibleError

Pixels = NDArray[np.float32]


class ImageOp(Protocol):
    """One operation from picture to picture."""

    op: ClassVar[str]

    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the changed RGB picture."""
        ...


@dataclass(frozen=True)
class Resize:
    """Resize to exactly ``height`` × ``width`` pixels, bilinear with antialiasing.

    This squashes: the aspect ratio is not kept (seed 002's strategy).
    """

    op: ClassVar[str] = "resize"
    height: int
    width: int

    def __post_init__(self) -> None:
        """Refuse sizes that no network takes."""
        if not (_is_size(self.height) and _is_size(self.width)):
            raise ValueError("height and width must be whole numbers from 1 to 4096")

    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the resized RGB picture."""
        return image.resize((self.width, self.height), Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class Normalize:
    """Scale 0…255 to 0…1, then ``(x - mean) / std`` for each channel, in R, G, B order."""

    op: ClassVar[str] = "normalize"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Take any sequence of three numbers, as JSON has lists; refuse others."""
        for name in ("mean", "std"):
            values = tuple(float(value) for value in getattr(self, name))
            if len(values) != 3 or not np.isfinite(values).all():
                raise ValueError(f"{name} must be three finite numbers")
            object.__setattr__(self, name, values)
        if min(self.std) <= 0:
            raise ValueError("std must be above zero")

    def __call__(self, image: Image.Image) -> Pixels:
        """Turn an RGB picture into pixels: float32 [3, H, W]."""
        planes = np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 255
        mean = np.array(self.mean, dtype=np.float32).reshape(3, 1, 1)
        std = np.array(self.std, dtype=np.float32).reshape(3, 1, 1)
        return np.ascontiguousarray((planes - mean) / std)


IMAGE_OPS: dict[str, type[Resize]] = {Resize.op: Resize}


@dataclass(frozen=True)
class Transform:
    """Picture operations in order, then one normalisation.

    Attributes:
        image_ops: Applied first, in order, each from RGB picture to RGB picture.
        normalize: Applied last, from picture to pixels.
    """

    image_ops: tuple[ImageOp, ...]
    normalize: Normalize

    def __call__(self, image: Image.Image) -> Pixels:
        """Turn an RGB picture of any size into pixels: float32 [3, H, W], normalised."""
        return self.normalize(self.resize(image))

    def resize(self, image: Image.Image) -> Image.Image:
        """Apply the picture operations alone: what training keeps of a decoded picture."""
        for op in self.image_ops:
            image = op(image)
        return image

    def to_json(self) -> list[dict[str, Any]]:
        """Return the list of named operations that ``from_json`` takes."""
        return [*map(_plain, self.image_ops), _plain(self.normalize)]

    @classmethod
    def from_json(cls, ops: object) -> Transform:
        """Read the list of named operations of a ``model.json``.

        Raises:
            ModelIncompatibleError: An operation is of a name that this code does not have.
            ModelCorruptError: The list or an operation's values are not as they must be.
        """
        if not isinstance(ops, Sequence) or isinstance(ops, str) or not ops:
            raise ModelCorruptError("model.json's 'transform' must be a list of operations.")
        *first, last = [_read(op) for op in ops]
        image_ops = tuple(op for op in first if not isinstance(op, Normalize))
        if not isinstance(last, Normalize) or len(image_ops) != len(first):
            raise ModelCorruptError(
                "model.json's 'transform' must hold 'normalize' once, as its last operation."
            )
        return cls(image_ops, last)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and 1 <= value <= 4096


def _plain(op: Any) -> dict[str, Any]:
    values = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(op).items()
    }
    return {"op": op.op, **values}


def _read(entry: object) -> Resize | Normalize:
    name = entry.get("op") if isinstance(entry, Mapping) else None
    kinds: dict[str, type[Resize] | type[Normalize]] = {**IMAGE_OPS, Normalize.op: Normalize}
    kind = kinds.get(str(name))
    if not isinstance(entry, Mapping) or kind is None:
        known = ", ".join([*IMAGE_OPS, Normalize.op])
        raise ModelIncompatibleError(
            f"model.json's transform has the operation {name!r}, which this code does not know "
            f"(it knows {known}). Deploy a newer version of the handler."
        )
    values = {key: value for key, value in entry.items() if key != "op"}
    wanted = {field.name for field in fields(kind)}
    if set(values) != wanted:
        raise ModelCorruptError(
            f"model.json's transform operation {name!r} must have exactly the values "
            f"{', '.join(sorted(wanted))}; it has {', '.join(sorted(values)) or 'none'}."
        )
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ModelCorruptError(f"model.json's transform operation {name!r}: {error}.") from error
