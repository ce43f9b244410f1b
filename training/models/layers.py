"""A table of a network's layers: the shape of each one's output, and its number of parameters.

Rows and figures are those of torchsummary, with which document 003 printed its network; torchinfo
has other rows and counts other bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn

from training.models.network import Classifier

_MIB_PER_VALUE = 4 / 1024**2  # float32


@dataclass(frozen=True)
class Layer:
    """One row: a layer that was called, in the order in which the calls ended.

    Attributes:
        name: The layer's type and its number in the table, from 1: ``Conv2d-1``.
        shape: The output's shape, batch first.
        parameters: Number of the layer's own parameters, without those of layers within it.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class LayerTable:
    """All rows, and what they add up to.

    Attributes:
        layers: The rows.
        parameters: Number of the network's parameters.
        trainable: Number of those that are not frozen.
        input_mb: The input in float32, in MiB.
        passes_mb: All outputs in float32, in MiB, twice: forward, and their gradients.
        parameters_mb: The parameters in float32, in MiB.
    """

    layers: tuple[Layer, ...]
    parameters: int
    trainable: int
    input_mb: float
    passes_mb: float
    parameters_mb: float

    def __str__(self) -> str:
        """Return the table as text, in torchsummary's columns."""
        rule, double = "-" * 64, "=" * 64
        cells = [("Layer (type)", "Output Shape", "Param #")]
        cells += [(one.name, str([*one.shape]), f"{one.parameters:,}") for one in self.layers]
        head, *rows = (f"{name:>20}  {shape:>25} {count:>15}" for name, shape, count in cells)
        counts = (
            f"Total params: {self.parameters:,}",
            f"Trainable params: {self.trainable:,}",
            f"Non-trainable params: {self.parameters - self.trainable:,}",
        )
        sizes = (
            f"Input size (MB): {self.input_mb:.2f}",
            f"Forward/backward pass size (MB): {self.passes_mb:.2f}",
            f"Params size (MB): {self.parameters_mb:.2f}",
            f"Estimated Total Size (MB): {self.input_mb + self.passes_mb + self.parameters_mb:.2f}",
        )
        return "\n".join((rule, head, double, *rows, double, *counts, rule, *sizes, rule))


def layer_table(network: Classifier, shape: tuple[int, int, int, int]) -> LayerTable:
    """Run a network once and list its layers.

    Containers have no row, as in torchsummary: sequences and lists of layers and the network
    itself.

    Args:
        network: Run in eval mode; it is left in the mode it was in. On torch's device ``meta``,
            nothing is computed.
        shape: The input's: batch, channels, height, width.
    """
    rows: list[Layer] = []

    def note(module: nn.Module, _: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        name = f"{type(module).__name__}-{len(rows) + 1}"
        rows.append(Layer(name, tuple(first.shape), _count(module.parameters(recurse=False))))

    skipped = nn.Sequential | nn.ModuleList | nn.Identity
    modes = {module: module.training for module in network.modules()}
    layers = [m for m in modes if m is not network and not isinstance(m, skipped)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(shape, device=next(network.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    parameters = _count(network.parameters())
    return LayerTable(
        layers=tuple(rows),
        parameters=parameters,
        trainable=_count(p for p in network.parameters() if p.requires_grad),
        input_mb=prod(shape) * _MIB_PER_VALUE,
        passes_mb=2 * sum(prod(layer.shape) for layer in rows) * _MIB_PER_VALUE,
        parameters_mb=parameters * _MIB_PER_VALUE,
    )


def _count(parameters: Iterable[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)
