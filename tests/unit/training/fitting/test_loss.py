"""The losses: the documents' two spellings are one, smoothing is torch's, weights balance."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.fitting.loss import balancing_weights, make_loss


def _batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(9, 4, generator=generator), torch.arange(9) % 4


def test_log_softmax_and_nll_are_cross_entropy() -> None:
    logits, labels = _batch()
    first = make_loss("cross_entropy", 0.0, None)(logits, labels)
    second = make_loss("nll", 0.0, None)(logits, labels)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("name", ["cross_entropy", "nll"])
def test_label_smoothing_is_torchs(name: str) -> None:
    logits, labels = _batch()
    ours = make_loss(name, 0.1, None)(logits, labels).mean()
    torch.testing.assert_close(
        ours, nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
    )


def test_class_weights_make_rare_classes_count_as_much() -> None:
    labels = torch.tensor([0] * 90 + [1] * 10)
    weights = balancing_weights(labels, 2)
    assert weights[labels].mean().item() == pytest.approx(1)
    assert weights[0] * 90 == pytest.approx(weights[1] * 10)
    logits = torch.zeros(100, 2)
    losses = make_loss("cross_entropy", 0.0, weights)(logits, labels)
    assert losses[labels == 0].sum().item() == pytest.approx(losses[labels == 1].sum().item())
