"""Where on the image a cell of the last feature maps lies.

Cell i of 7 does not cover the i-th seventh: with symmetric padding, strided layers look half a cell
further left and up, and weights trained with another padding look elsewhere again. A heat map that
is only resized to the image is off by that much, 16 of 224 pixels with MobileNetV2.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from training.models.network import Classifier

_SIDES = (224, 448)
_BESIDE = 2  # cells between the middle one and the measured ones: far from the padded borders


class Grid(NamedTuple):
    """The centre of cell i lies at ``first + i * step`` pixels of the input, down and across."""

    first: float
    step: float


def measure_grid(model: Classifier) -> Grid | None:
    """Measure on which pixels of an image of noise the values of cells depend.

    Args:
        model: In eval mode.

    Returns:
        None where the model takes no images of these sizes, or keeps no maps up to its pooling.
    """
    generator = torch.Generator().manual_seed(0)
    small, large = (torch.randn(1, 3, side, side, generator=generator) for side in _SIDES)
    maps: list[Tensor] = []

    def note(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        maps.append(inputs[0])

    hook = model.pool.register_forward_pre_hook(note)
    try:
        with torch.no_grad():
            model(small)
        with torch.enable_grad():
            model(large.requires_grad_())
            few, many = (one.shape[-1] for one in maps)
            middle = many // 2
            if maps[1].dim() != 4 or few == many or middle < _BESIDE:
                return None
            cells = (middle - _BESIDE, middle + _BESIDE)
            centre = sum(_centre(maps[1][0, :, cell, cell].sum(), large) for cell in cells) / 2
    except (RuntimeError, AssertionError):  # how layers refuse a size
        return None
    finally:
        hook.remove()
    if not math.isfinite(centre):  # the values do not depend on the noise
        return None
    step = (_SIDES[1] - _SIDES[0]) / (many - few)
    return Grid(centre - middle * step, step)


def _centre(value: Tensor, images: Tensor) -> float:
    """Return the mean position, of rows and columns, of the pixels that a value depends on."""
    (gradient,) = torch.autograd.grad(value, images, retain_graph=True)
    weights = gradient[0].square().sum(0)
    places = torch.arange(weights.shape[0]).to(weights)
    return float((weights.sum(0) + weights.sum(1)) @ places / (2 * weights.sum()))


def lay_out(
    heat: Tensor, grid: Grid | None, seen: tuple[int, int], shown: tuple[int, int]
) -> NDArray[Any]:
    """Return the heat of each pixel of an image, float32 of the size ``shown``.

    Args:
        heat: float32 [h, w].
        grid: The position of its cells; None to stretch it.
        seen: Height and width of the network's input.
        shown: Height and width of the image, which shows the same.
    """
    axes = []
    for cells, size, pixels in zip(heat.shape, seen, shown, strict=True):
        first, step = grid or ((size / cells - 1) / 2, size / cells)
        places = (torch.arange(pixels) + 0.5) * size / pixels - 0.5
        axes.append(2 * (places - first) / step / max(cells - 1, 1) - 1)
    rows, columns = torch.meshgrid(*axes, indexing="ij")
    where = torch.stack([columns, rows], -1)[None].to(heat.dtype)
    options = {"mode": "bicubic", "padding_mode": "border"}
    laid = grid_sample(heat[None, None], where, align_corners=True, **options)
    return laid[0, 0].clamp(0, 1).numpy()
