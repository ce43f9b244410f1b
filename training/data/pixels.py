"""Images as the network's input, decoded by the code that serves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from model_loader import InputError, Transform, decode_image
from training.data.table import LabelledImage
from training.errors import TrainingError
from training.progress import progress


class PixelDataset(Dataset[tuple[Tensor, Tensor]]):
    """Images that were decoded and resized once, normalised when they are asked for.

    An item is (image: float32 [3, H, W], normalised; label: int64, its index).
    """

    def __init__(self, pixels: list[NDArray[np.uint8]], labels: Tensor, transform: Transform):
        """Keep the resized images, uint8 [H, W, 3] each, and their labels, int64 [N]."""
        self.labels = labels
        self._pixels = pixels
        self._transform = transform

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._pixels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return one image, normalised, and its label's index."""
        image = self._transform.normalize(Image.fromarray(self._pixels[index]))
        return torch.from_numpy(image), self.labels[index]


def load_pixels(
    root: Path,
    rows: Sequence[LabelledImage],
    labels: Sequence[str],
    transform: Transform,
    title: str,
) -> PixelDataset:
    """Decode images and apply the test transform's image operations.

    Raises:
        TrainingError: An image cannot be decoded; the message names it.
    """
    index = {label: i for i, label in enumerate(labels)}
    pixels = []
    with progress(title, len(rows)) as advance:
        for row in rows:
            image = read_image(root / row.file)
            pixels.append(np.asarray(transform.resize(image)))
            advance("")
    return PixelDataset(pixels, torch.tensor([index[row.label] for row in rows]), transform)


def check_images(root: Path, rows: Sequence[LabelledImage], title: str) -> None:
    """Decode images and keep nothing, so that a damaged one is found before hours of training.

    Raises:
        TrainingError: An image cannot be decoded; the message names it.
    """
    with progress(title, len(rows)) as advance:
        for row in rows:
            read_image(root / row.file)
            advance("")


def read_image(path: Path) -> Image.Image:
    """Decode an image file to an upright RGB picture.

    Raises:
        TrainingError: It cannot be read or decoded.
    """
    try:
        return decode_image(path.read_bytes())
    except OSError as error:
        raise TrainingError(f"The image {path} cannot be read: {error.strerror}.") from error
    except InputError as error:
        raise TrainingError(f"The image {path} cannot be used. {error}") from error
