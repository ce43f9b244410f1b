"""Images and weights that make the architectures' answers differ."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model_loader import Normalize
from training.models.classifier import Classifier

NORMALIZE = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def pictures(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Noise, of another contrast and brightness in each image."""
    generator = torch.Generator().manual_seed(seed)
    contrast, brightness = torch.rand(2, count, 1, 1, 1, generator=generator)
    noise = torch.randn(count, 3, height, width, generator=generator)
    return noise.mul(contrast).add(brightness)


def spread(network: Classifier) -> None:
    """Give random weights logits that differ by about 1, with the statistics of some images."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    images = pictures(6, 64, 64)
    with torch.no_grad():
        network.train()(images)
        logits = network.eval()(images)
        deviation, mean = (logits - logits.mean(0)).std(), logits.mean(0) - network.head.bias
        network.head.weight /= deviation
        network.head.bias.copy_(-mean / deviation)
