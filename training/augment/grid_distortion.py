"""Grid distortion: columns and rows of an image are stretched and shrunk at random."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


class GridDistortion(torch.nn.Module):
    """Stretch or shrink each column and each row of a grid by its own random factor.

    As albumentations documents its ``GridDistortion`` (``normalized=True``, its default): the
    image is divided into ``steps`` × ``steps`` cells; each column's width and each row's height
    is multiplied by a factor drawn from 1 ± ``limit``, and all are scaled back together, so that
    nothing leaves the image. Between the lines of the grid positions are linear, and levels are
    bilinear. Source: https://albumentations.ai/explore/transform/GridDistortion/docs/

    Drawn from torch's default random generator.
    """

    def __init__(self, steps: int = 5, limit: float = 0.3) -> None:
        """Keep the number of cells on each side, and how much a cell may change (0 … below 1)."""
        super().__init__()
        self.steps = steps
        self.limit = limit

    def forward(self, image: Tensor) -> Tensor:
        """Return the distorted image: uint8 [3, H, W] → uint8 [3, H, W]."""
        height, width = image.shape[-2:]
        factors = 1 + self.limit * (2 * torch.rand(2, self.steps) - 1)
        x, y = (_positions(f, n) for f, n in zip(factors, (width, height), strict=True))
        grid = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)
        moved = grid_sample(
            image[None].float(), grid[None], padding_mode="border", align_corners=True
        )
        return moved[0].round_().clamp_(0, 255).to(torch.uint8)


def _positions(factors: Tensor, length: int) -> Tensor:
    """Return where each of ``length`` pixels is taken from, float32, -1 (first) … 1 (last).

    ``factors`` are those of the cells along this side: float32 [steps].
    """
    edges = torch.cat([torch.zeros(1), factors.cumsum(0)])
    edges = edges / edges[-1] * 2 - 1
    at = torch.linspace(0, len(factors), length)
    cell = at.long().clamp_(max=len(factors) - 1)
    return torch.lerp(edges[cell], edges[cell + 1], at - cell)
