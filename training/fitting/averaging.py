"""The exponential moving average of the weights of a stage (Polyak and Juditsky, 1992).

The average of a few hundred noisy steps lies nearer to the minimum than the last of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from training.fitting.thaw import StagedModel


class Average(nn.Module):
    """The average of the thawed layers of a staged model, their buffers included.

    Its state dict holds the average; the model's own holds the weights that are trained.
    """

    def __init__(self, staged: StagedModel, decay: float) -> None:
        """Begin with the model's weights.

        ``decay`` is the share of the average in the next one, 0…1. In the n-th step it is at most
        (1 + n) / (10 + n), so that the first weights soon count little.
        """
        super().__init__()
        trained = nn.ModuleList(staged.thawed())
        self._followed = (trained,)  # in a tuple: the staged model registers them itself
        self.followers = AveragedModel(trained, avg_fn=partial(_mean, decay), use_buffers=True)
        self.followers.requires_grad_(False)

    def update(self) -> None:
        """Add the weights after a step."""
        self.followers.update_parameters(self._followed[0])

    def swap(self) -> None:
        """Exchange the values of the model and of the average; a second call puts them back."""
        with torch.no_grad():
            pairs = zip(_tensors(self._followed[0]), _tensors(self.followers.module), strict=True)
            for trained, average in pairs:
                weights = trained.clone()
                trained.copy_(average)
                average.copy_(weights)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Give the model the average, within this context."""
        self.swap()
        try:
            yield
        finally:
            self.swap()


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    return chain(module.parameters(), module.buffers())


def _mean(decay: float, average: Tensor, weights: Tensor, steps: Tensor | int) -> Tensor:
    if not weights.is_floating_point():  # BatchNorm's number of batches
        return weights
    n = int(steps)
    return torch.lerp(weights, average, min(decay, (1 + n) / (10 + n)))
