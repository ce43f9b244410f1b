"""A tiny model version, real in every part, that is exported in a second."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from model_loader import Metadata, Normalize, Resize, Transform
from training.export.torchscript import export_version

LABELS = ("Flying Birds", "Large QuadCopters", "Small QuadCopters", "Winged Drones")
TRANSFORM = Transform((Resize(32, 32),), Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


class TinyNetwork(nn.Module):
    """A convolution and a linear layer: its answer depends on every pixel."""

    def __init__(self, classes: int, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.convolution = nn.Conv2d(3, 8, 5, stride=2)
        self.linear = nn.Linear(8 * 14 * 14, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(torch.relu(self.convolution(images)).flatten(1))
        return logits


def build_version(
    folder: Path,
    labels: tuple[str, ...] = LABELS,
    name: str = "flying-objects",
    seed: int = 0,
) -> Metadata:
    """Write a version into ``folder``: model.json, model.pt and model.onnx."""
    network = TinyNetwork(len(labels), seed)
    return export_version(network, folder, name=name, labels=labels, transform=TRANSFORM)
