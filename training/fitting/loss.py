"""The losses, one value for each image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax, nll_loss

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits [B, classes] and labels int64 [B] to losses [B]."""


def make_loss(name: str, label_smoothing: float, class_weights: Tensor | None) -> Loss:
    """Return a loss.

    The mean is taken over images, not over weights, so that the mean over the batches of several
    processes is the mean over their images.

    Args:
        name: ``cross_entropy``, or its equal ``nll``: log-softmax and negative log-likelihood.
        label_smoothing: The share of a label that is spread over all classes, 0…1.
        class_weights: float32 [classes], or None for equal weights.
    """

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        if name == "nll" and not label_smoothing:
            losses = nll_loss(log_softmax(logits, dim=1), labels, reduction="none")
        else:
            losses = cross_entropy(
                logits, labels, reduction="none", label_smoothing=label_smoothing
            )
        if class_weights is None:
            return losses
        return losses * class_weights.to(losses.device)[labels]

    return loss


def balancing_weights(labels: Tensor, classes: int) -> Tensor:
    """Return float32 [classes]: the inverse of each class's share, 1 on average over images."""
    counts = torch.bincount(labels, minlength=classes).float().clamp(min=1)
    return len(labels) / (classes * counts)
