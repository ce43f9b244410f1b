"""The outputs of a frozen backbone, computed once for each image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from training.data.pixels import PixelDataset
from training.models.classifier import Classifier
from training.progress import progress

_BATCH = 16


def compute_features(
    model: Classifier, images: PixelDataset, title: str
) -> Dataset[tuple[Tensor, ...]]:
    """Run all but the last part of a model over images.

    Args:
        model: Run in eval mode, as what is frozen is.
        images: The images; they are not augmented, so each has one output.
        title: What the progress bar says.

    Returns:
        Items of (features: float32 [F]; label: int64, its index).
    """
    model.eval()
    rows: list[Tensor] = []
    with torch.no_grad(), progress(title, len(images)) as advance:
        for batch, _ in DataLoader(images, batch_size=_BATCH):
            rows.append(model.embed(batch.contiguous(memory_format=torch.channels_last)))
            for _ in range(len(batch)):
                advance("")
    return TensorDataset(torch.cat(rows), images.labels)
