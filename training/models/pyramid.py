"""Spatial pyramid pooling: maps of every size become equally many features.

He, Zhang, Ren, Sun: Spatial Pyramid Pooling in Deep Convolutional Networks for Visual
Recognition, 2014, arXiv:1406.4729.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SpatialPyramidMaxPool(nn.Module):
    """The maximum of each bin of n × n grids over the maps, for every n of the levels.

    Bin i of n over ``size`` rows is ``floor(i·size/n) … ceil((i+1)·size/n)``: never empty, and
    overlapping where n does not divide the size. That is ``AdaptiveMaxPool2d(n)`` bit for bit;
    it is written as slices because ONNX has no adaptive pooling of dynamic sizes.
    """

    def __init__(self, levels: tuple[int, ...] = (4, 2, 1)) -> None:
        """Choose the grids, in the order of the features."""
        super().__init__()
        self.levels = levels

    def forward(self, maps: Tensor) -> Tensor:
        """Pool maps [B, C, H, W] to features [B, C · (the sum of the squares of the levels)].

        For each level, all bins of the first channel come first, row by row.
        """
        height, width = maps.shape[2], maps.shape[3]
        pooled = []
        for n in self.levels:
            bins = []
            for row in range(n):
                top, bottom = row * height // n, ((row + 1) * height + n - 1) // n
                for column in range(n):
                    left, right = column * width // n, ((column + 1) * width + n - 1) // n
                    bins.append(maps[:, :, top:bottom, left:right].amax((2, 3)))
            pooled.append(torch.stack(bins, 2).flatten(1))
        return torch.cat(pooled, 1)
