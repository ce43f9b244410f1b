"""MobileNetV2 with three taps brought to one resolution and summed (document 003)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.network import Classifier

NECK: tuple[str, ...] = (
    "down_early.",
    "down_early_again.",
    "down_middle.",
    "narrow_last.",
    "fuse.",
    "reduce.",
)
"""The layers that plain MobileNetV2 does not have, as its state dict names them."""


class MultiScale(Classifier):
    """MobileNetV2 whose maps of three resolutions are summed before they are pooled.

    ::

        block 6   32 ch, /8  ─ Down ─ Down ─┐
        block 13  96 ch, /16 ─ Down ────────┼ + ─ 3×3 ─ average ─ 1×1 to 32 ─ BN ─ Linear
        block 18  1280 ch, /32 ─ 1×1 to 128 ┘

    Document 003's text says that the maps are concatenated; the 147,456 weights of the 3×3
    convolution leave room for 128 channels only, so they are summed. In train mode a batch needs
    two images, as the last BatchNorm sees one value of each channel per image.
    """

    def __init__(self, features: nn.Sequential, classes: int) -> None:
        """Put new layers behind the 19 blocks of torchvision's MobileNetV2."""
        super().__init__(features, nn.AdaptiveAvgPool2d(1), nn.Sequential(nn.Linear(32, classes)))
        self.early, self.middle = 6, 13  # the blocks that are tapped besides the last
        self.down_early = _Down(32)
        self.down_early_again = _Down(128)
        self.down_middle = _Down(96)
        self.narrow_last = _convolution(1280, 128, 1)
        self.fuse = _convolution(128, 128, 3)
        self.reduce = nn.Sequential(nn.Conv2d(128, 32, 1, bias=False), nn.BatchNorm2d(32))
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Conv2d) and name.startswith(NECK):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")  # as torchvision's blocks

    @property
    def cacheable_blocks(self) -> int:
        """7: behind the first tap, the maps of one block no longer tell the whole state."""
        return self.early + 1

    def embed_from(self, k: int, maps: Tensor) -> Tensor:
        """Return what the head works on, float32 [B, 32], given the first k ≤ 7 blocks' output."""
        early, middle = maps, maps
        for index, block in enumerate(self.features):
            if index >= k:
                maps = block(maps)
            if index == self.early:
                early = maps
            if index == self.middle:
                middle = maps
        early = self.down_early_again(self.down_early(early))
        middle = self.down_middle(middle)
        fused = self.fuse(early + middle + self.narrow_last(maps))
        values: Tensor = self.reduce(self.pool(fused)).flatten(1)
        return values


class _Down(nn.Sequential):
    """Halve the resolution in two branches of 64 channels each, and concatenate them."""

    def __init__(self, channels: int) -> None:
        short = _convolution(channels, 64, 1, stride=2)
        deep = nn.Sequential(_convolution(channels, 64, 1, stride=2), _convolution(64, 64, 3))
        super().__init__(short, deep)

    def forward(self, maps: Tensor) -> Tensor:
        """Return float32 [B, 128, ceil(H / 2), ceil(W / 2)]."""
        return torch.cat([branch(maps) for branch in self], 1)


def _convolution(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )
