"""The test transform: from an image file to the network's input.

It is stored in ``model.json`` as a list of named operations, so that serving and evaluation apply
the very transform that the model was tested with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from PIL import Image

from model_loader.errors import ModelCorruptError, ModelIncompatibleError
from model_loader.image import EncodedImage
from model_loader.operations import (
    IMAGE_OPS,
    ImageOp,
    Normalize,
    Pixels,
    apply_ops,
    needed_size,
)


@dataclass(frozen=True)
class Transform:
    """Image operations in order, then one normalisation.

    Attributes:
        image_ops: Applied first, in order, each from RGB image to RGB image.
        normalize: Applied last, from image to pixels.
    """

    image_ops: tuple[ImageOp, ...]
    normalize: Normalize

    def __call__(self, image: Image.Image) -> Pixels:
        """Turn an RGB image of any size into pixels: float32 [3, H, W], normalised."""
        return self.normalize(self.apply(image))

    def apply(self, image: Image.Image) -> Image.Image:
        """Apply the image operations alone."""
        return apply_ops(self.image_ops, image)

    def needed_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the smallest (width, height) at which an image of this size may be decoded."""
        return needed_size(self.image_ops, width, height)

    def prepare(self, data: bytes) -> Pixels:
        """Decode an image file, no larger than needed, and transform it: float32 [3, H, W].

        Raises:
            InputError: It cannot be decoded; see ``EncodedImage``.
        """
        encoded = EncodedImage.read(data)
        return self(encoded.decode(self.needed_size(*encoded.size)))

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


def _plain(op: Any) -> dict[str, Any]:
    values = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(op).items()
    }
    return {"op": op.op, **values}


def _read(entry: object) -> ImageOp | Normalize:
    name = entry.get("op") if isinstance(entry, Mapping) else None
    kinds: dict[str, type[ImageOp] | type[Normalize]] = {**IMAGE_OPS, Normalize.op: Normalize}
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
