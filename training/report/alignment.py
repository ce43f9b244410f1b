"""Where on the image a cell of the last maps looks.

Cell i of 7 does not look at the i-th seventh: with symmetric padding, strided layers look half a
cell further left and up, and weights that were trained with another padding look elsewhere again.
Heat that is merely stretched over the image lies beside what it is about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from training.models.network import Classifier

_SIDES = (224, 448)
_BESIDE = 2
"""How far from the middle cell the measured ones lie: far from the borders' padding."""


@dataclass(frozen=True)
class Grid:
    """The centres of cells: that of cell i is ``first + i * step`` pixels of the network's input.

    Attributes:
        first: Of the first one, in rows as in columns.
        step: From one to the next.
    """

    first: float
    step: float


def measure_grid(model: Classifier) -> Grid | None:
    """Find out where cells look, by what their values depend on in an image of noise.

    Args:
        model: In eval mode.

    Returns:
        None where the model takes no images of these sizes, or keeps no maps up to its pooling.
    """
    generator = torch.Generator().manual_seed(0)
    small, large = (torch.randn(1, 3, side, side, generator=generator) for side in _SIDES)
    try:
        with torch.no_grad():
            counts = [_maps(model, images).shape[-1] for images in (small, large)]
        large.requires_grad_()
        with torch.enable_grad():
            maps = _maps(model, large)
            middle = counts[1] // 2
            if maps.dim() != 4 or counts[0] == counts[1] or middle < _BESIDE:
                return None
            centres = [
                _centre(maps[0, :, cell, cell].sum(), large)
                for cell in (middle - _BESIDE, middle + _BESIDE)
            ]
    except (RuntimeError, AssertionError):  # how layers refuse a size
        return None
    if not all(map(math.isfinite, centres)):  # noise moves nothing: all of it is cut off
        return None
    step = (_SIDES[1] - _SIDES[0]) / (counts[1] - counts[0])
    return Grid(sum(centres) / 2 - middle * step, step)


def lay_out(
    heat: Tensor, grid: Grid | None, seen: tuple[int, int], shown: tuple[int, int]
) -> NDArray[np.float32]:
    """Return heat for each pixel of an image.

    Args:
        heat: float32 [h, w].
        grid: Where its cells look; None to stretch it.
        seen: Height and width of the network's input.
        shown: Height and width of the image, which shows the same.

    Returns:
        float32 of the size ``shown``.
    """
    axes = []
    for cells, size, pixels in zip(heat.shape, seen, shown, strict=True):
        used = grid or Grid((size / cells - 1) / 2, size / cells)
        places = (torch.arange(pixels) + 0.5) * size / pixels - 0.5
        cell = (places - used.first) / used.step
        axes.append(2 * cell / max(cells - 1, 1) - 1)
    rows, columns = torch.meshgrid(*axes, indexing="ij")
    where = torch.stack([columns, rows], -1)[None].to(heat.dtype)
    laid = grid_sample(
        heat[None, None], where, mode="bicubic", padding_mode="border", align_corners=True
    )
    return laid[0, 0].clamp(0, 1).numpy()


def _maps(model: Classifier, images: Tensor) -> Tensor:
    """Return what the pooling is given."""
    held: list[Tensor] = []

    def hold(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        held.append(inputs[0])

    hook = model.pool.register_forward_pre_hook(hold)
    try:
        model(images)
    finally:
        hook.remove()
    return held[0]


def _centre(value: Tensor, images: Tensor) -> float:
    """Return the mean row and column, in one, of the pixels that a value depends on."""
    (gradient,) = torch.autograd.grad(value, images, retain_graph=True)
    weights = gradient[0].square().sum(0)
    places = torch.arange(weights.shape[0])
    return float((weights.sum(0) + weights.sum(1)) @ places.to(weights) / (2 * weights.sum()))
