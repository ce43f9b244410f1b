"""Batches of images of equal size.

Padding images to one size instead would change the answers, as BatchNorm's bias leaks from the
padding into the maps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

MAX_PIXELS = 32 * 224 * 224
"""Pixels in one batch unless told otherwise: 32 images of 224 × 224."""

Size = tuple[int, int]
"""Height and width."""


class SizeBuckets(Sampler[list[int]]):
    """Batches of images of equal size: each image exactly once in an epoch.

    Both the order within a size and the order of the batches depend on ``seed + epoch`` alone.
    The number of batches is the same in every epoch.
    """

    def __init__(
        self,
        sizes: Sequence[Size],
        max_pixels: int = MAX_PIXELS,
        batch_size: int = 32,
        *,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        """Set the limits of a batch.

        A batch has at most ``batch_size`` images and ``max_pixels`` of height × width; an image
        that is larger by itself makes its own batch. ``sizes`` has each image's (height, width),
        and without ``shuffle`` its order stays.

        Raises:
            ValueError: A limit is below 1.
        """
        if max_pixels < 1 or batch_size < 1:
            raise ValueError("max_pixels and batch_size must be at least 1")
        self.shuffle = shuffle
        self.seed = seed
        self._epoch = 0
        self._buckets: dict[Size, list[int]] = defaultdict(list)
        for index, (height, width) in enumerate(sizes):
            self._buckets[height, width].append(index)
        self._lengths = {
            (height, width): min(batch_size, max(1, max_pixels // (height * width)))
            for height, width in self._buckets
        }

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return sum(-(-len(bucket) // self._lengths[size]) for size, bucket in self._buckets.items())

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the indices of each batch."""
        generator = torch.Generator().manual_seed(self.seed + self._epoch)
        batches = []
        for size, bucket in self._buckets.items():
            order = self._order(len(bucket), generator)
            length = self._lengths[size]
            batches += [
                [bucket[place] for place in order[start : start + length]]
                for start in range(0, len(order), length)
            ]
        for place in self._order(len(batches), generator):
            yield batches[place]

    def _order(self, count: int, generator: torch.Generator) -> list[int]:
        if not self.shuffle:
            return list(range(count))
        order: list[int] = torch.randperm(count, generator=generator).tolist()
        return order
