"""The order of the training images, and the random numbers that augment each.

Both are functions of the seed and the epoch alone. Therefore a resumed run equals one that was
never interrupted, and a run on two processes equals one on a single process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from training.fitting.size_buckets import SizeBuckets

_LARGE_PRIME = 1_000_003

Examples = Dataset[tuple[Tensor, Tensor]]
"""A data set of (input, label's index)."""


class EpochOrder(Sampler[int]):
    """Yields the numbers ``epoch · n + index`` of one process's share of an epoch's images.

    All processes cut the same permutation into steps, so that the batches of one step together are
    the batch that a single process would take. Images that would leave a step uneven wait for
    another epoch's permutation.
    """

    def __init__(self, n: int, seed: int, rank: int = 0, world: int = 1) -> None:
        """Order ``n`` images for process ``rank`` of ``world``, shuffled by ``seed`` and epoch."""
        self.seed = seed
        self._n = n
        self._rank = rank
        self._world = world
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose numbers come next; Lightning calls it before each."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Return how many numbers one process gets."""
        return self._n // self._world

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers of this process."""
        generator = torch.Generator().manual_seed(self.seed * _LARGE_PRIME + self._epoch)
        order = torch.randperm(self._n, generator=generator).tolist()
        share = order[self._rank : len(self) * self._world : self._world]
        return (self._epoch * self._n + index for index in share)


class NumberedBuckets(SizeBuckets):
    """Yields batches of such numbers, each of images of one size."""

    def __init__(self, sizes: Sequence[tuple[int, int]], batch_size: int, seed: int) -> None:
        """Order images of these (height, width), with a cap on the pixels of a batch."""
        super().__init__(sizes, batch_size=batch_size, seed=seed * _LARGE_PRIME)
        self._n = len(sizes)
        self.sampler = self  # where Lightning looks for ``set_epoch``

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the numbers of each batch."""
        return ([self._epoch * self._n + index for index in batch] for batch in super().__iter__())


class Numbered(Examples):
    """Takes the numbers of ``EpochOrder``: each fixes an image and its augmentation.

    The random state outside is left as it was, in the main process as in a worker.
    """

    def __init__(self, examples: Examples, n: int, seed: int) -> None:
        """Number ``n`` examples; ``seed`` together with a number seeds its augmentation."""
        self._examples = examples
        self._n = n
        self._seed = seed

    def __len__(self) -> int:
        """Return the number of examples in one epoch."""
        return self._n

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the example of a number."""
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would reseed every GPU too.
            torch.default_generator.manual_seed(self._seed * _LARGE_PRIME + number)
            return self._examples[number % self._n]
