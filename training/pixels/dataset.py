"""Images as the network's input, decoded by the code that serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from model_loader import Transform
from training.data.contents import Content, SkippedImage, Skips, read_contents
from training.data.table import LabelledImage
from training.errors import TrainingError
from training.parallel import one_thread
from training.pixels.cache import PixelCache
from training.pixels.decoding import decode_images, decoded_sizes
from training.pixels.images import CachedImages, Levels, OnDemandImages, Ops

Augmentation = Callable[[Tensor], Tensor]
"""From an image to a changed one: uint8 [3, H, W] → uint8 [3, H', W']."""


class PixelDataset(Dataset[tuple[Tensor, Tensor]]):
    """Images that were decoded and resized once, and are normalised at each access.

    An item is (image: float32 [3, H, W], normalised; label: int64, its index). With an
    augmentation, each access draws from torch's default random generator;
    ``training.fitting.order.Numbered`` makes that depend on seed, epoch and index alone.

    Attributes:
        labels: int64 [N].
        rows: The image files, in order.
        skipped: Images that were asked for and cannot be used.
    """

    def __init__(
        self,
        images: CachedImages | OnDemandImages,
        labels: Tensor,
        transform: Transform,
        *,
        rows: Sequence[LabelledImage],
        skipped: tuple[SkippedImage, ...],
        augmentation: Augmentation | None = None,
        plain: PixelDataset | None = None,
    ) -> None:
        """Take resized images, uint8 [H, W, 3] each, and their labels, int64 [N]."""
        self.labels = labels
        self.rows = tuple(rows)
        self.skipped = skipped
        self._images = images
        self._transform = transform
        self._augmentation = augmentation
        self._plain = plain

    @property
    def plain(self) -> PixelDataset:
        """The same images without augmentation, as the test transform has them."""
        return self if self._plain is None else self._plain

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """The (height, width) of each image before augmentation."""
        return self._images.sizes

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def levels(self, index: int) -> Levels:
        """Return one image before augmentation and normalisation: uint8 [H, W, 3]."""
        return self._images[index]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return one image, augmented and normalised, and its label's index."""
        levels = self._images[index]
        if self._augmentation is not None:
            # The levels stay [H, W, 3] in memory, which is faster in torchvision's kernels.
            image = torch.from_numpy(np.array(levels)).permute(2, 0, 1)
            with one_thread():
                levels = self._augmentation(image).permute(1, 2, 0).numpy()
        return torch.from_numpy(self._transform.normalize(levels)), self.labels[index]


def load_pixels(
    root: Path,
    rows: Sequence[LabelledImage],
    labels: Sequence[str],
    transform: Transform,
    title: str,
    *,
    augmentation: Augmentation | None = None,
    train_ops: Ops | None = None,
    cache: PixelCache | None = None,
    contents: Mapping[str, Content] | None = None,
    skips: Skips | None = None,
) -> PixelDataset:
    """Decode images once, and cache them after the image operations.

    Args:
        root: The data folder.
        rows: The images.
        labels: The class names in index order.
        transform: The test transform.
        title: The progress bar's.
        augmentation: Changes each image at each access; ``plain`` of the result has the same
            images without it, from the same pass.
        train_ops: The image operations before the augmentation; None for the test transform's.
        cache: The cache; None for a temporary one.
        contents: From ``read_contents``, where the whole table was read before; files that are not
            among them are left out.
        skips: Counts the images of the whole run that cannot be used; None to count these alone.

    Raises:
        TrainingError: Too many images cannot be used, or none is left of a class; the cache cannot
            be written.
    """
    skips = Skips(len(rows)) if skips is None else skips
    if contents is None:
        contents = read_contents(root, rows, f"{title}: files", skips)
    present = [row for row in rows if row.file in contents]
    test_ops = transform.image_ops
    first_ops = test_ops if augmentation is None or train_ops is None else train_ops
    ops_lists = list(dict.fromkeys([first_ops, test_ops]))
    usable, images = decode_images(
        root, present, contents, ops_lists, title, cache or PixelCache(), skips
    )
    _check_labels(rows, usable)
    index = {label: i for i, label in enumerate(labels)}
    numbers = torch.tensor([index[row.label] for row in usable], dtype=torch.int64)
    files = {row.file for row in rows}
    skipped = tuple(image for image in skips.images if image.file in files)
    plain = PixelDataset(images[-1], numbers, transform, rows=usable, skipped=skipped)
    if augmentation is None:
        return plain
    return PixelDataset(
        images[0],
        numbers,
        transform,
        rows=usable,
        skipped=skipped,
        augmentation=augmentation,
        plain=plain,
    )


def check_images(
    root: Path, rows: Sequence[LabelledImage], title: str, skips: Skips | None = None
) -> tuple[LabelledImage, ...]:
    """Decode images and keep nothing, so that a damaged one is found before hours of training.

    Returns:
        Those that can be used.

    Raises:
        TrainingError: Too many cannot.
    """
    skips = Skips(len(rows)) if skips is None else skips
    sizes = decoded_sizes(root, rows, (), title, skips)
    skips.check()
    return tuple(row for row, size in zip(rows, sizes, strict=True) if size)


def _check_labels(rows: Sequence[LabelledImage], usable: Sequence[LabelledImage]) -> None:
    gone = sorted({row.label for row in rows} - {row.label for row in usable})
    if gone:
        raise TrainingError(
            f"None of the images of the class {gone[0]!r} can be used; see the lines above. Mend "
            "them, or remove the class."
        )
