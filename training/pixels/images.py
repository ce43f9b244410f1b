"""Decoded images by index, uint8 [H, W, 3] each: mapped from a cache, or decoded on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_loader import EncodedImage, InputError
from model_loader.operations import ImageOp, apply_ops, needed_size
from training.errors import TrainingError

Levels = NDArray[np.uint8]
Ops = tuple[ImageOp, ...]
Sizes = Sequence[tuple[int, int]]
"""(height, width) of each image."""


class CachedImages:
    """Images of any sizes, mapped read-only from one flat file of levels.

    Attributes:
        sizes: (height, width) of each.
        problems: The files without an image: their number among all files, and the reason.
    """

    def __init__(
        self, path: Path, sizes: Sizes, problems: Mapping[int, str], owner: object = None
    ) -> None:
        """Map a file of all images' levels, one image after the other; keep ``owner`` alive.

        Raises:
            OSError: The file cannot be read.
            ValueError: It does not have as many levels as the sizes say.
        """
        self.sizes = [(int(height), int(width)) for height, width in sizes]
        self.problems = dict(problems)
        self._path = path
        self._owner = owner
        counts = [height * width * 3 for height, width in self.sizes]
        self._ends = np.cumsum(counts, dtype=np.int64)
        self._levels = _map(path)
        if len(self._levels) != sum(counts):
            raise ValueError(f"{len(self._levels)} levels do not make {sum(counts)}")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.sizes)

    def __getitem__(self, index: int) -> Levels:
        """Return one image."""
        height, width = self.sizes[index]
        end = int(self._ends[index])
        return self._levels[end - height * width * 3 : end].reshape(height, width, 3)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the levels out: a memory map pickles whole."""
        return {**self.__dict__, "_levels": None, "_owner": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the levels again."""
        self.__dict__.update(state)
        self._levels = _map(self._path)


class OnDemandImages:
    """Images that are decoded each time they are asked for."""

    def __init__(self, root: Path, files: Sequence[str], ops: Ops, sizes: Sizes) -> None:
        """Take files below ``root``; ``sizes`` are those after the operations."""
        self.sizes = list(sizes)
        self._root = root
        self._files = files
        self._ops = ops

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._files)

    def __getitem__(self, index: int) -> Levels:
        """Decode one image.

        Raises:
            TrainingError: It cannot be read or decoded any more.
        """
        try:
            image = read_image(self._root / self._files[index], self._ops)
        except TrainingError as error:
            raise TrainingError(
                f"{error} It was there when the run began: put it back and go on with --resume, or "
                "train again without it."
            ) from error
        return np.asarray(apply_ops(self._ops, image))


def read_image(path: Path, ops: Ops = ()) -> Image.Image:
    """Decode an image file to an upright RGB image, no larger than the operations need it.

    Raises:
        TrainingError: It cannot be read or decoded.
    """
    try:
        encoded = EncodedImage.read(path.read_bytes())
        return encoded.decode(needed_size(ops, *encoded.size))
    except OSError as error:
        raise TrainingError(f"The image {path} cannot be read: {error.strerror}.") from error
    except InputError as error:
        raise TrainingError(f"The image {path} cannot be used. {error}") from error


def _map(path: Path) -> Levels:
    if not path.stat().st_size:
        return np.zeros(0, dtype=np.uint8)  # an empty file cannot be mapped
    return np.memmap(path, dtype=np.uint8, mode="r")
