"""A network's layers as a table: what comes out of each, and how many parameters it has.

The rows and figures are those of torchsummary, with which seed 003 printed its network.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn

from training.models.network import Classifier

_MEBI = 1024**2
_BYTES = 4


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
        rows = [
            f"{layer.name:>20}  {list(layer.shape)!s:>25} {layer.parameters:>15,}"
            for layer in self.layers
        ]
        total = self.input_mb + self.passes_mb + self.parameters_mb
        return "\n".join(
            [
                rule,
                f"{'Layer (type)':>20}  {'Output Shape':>25} {'Param #':>15}",
                double,
                *rows,
                double,
                f"Total params: {self.parameters:,}",
                f"Trainable params: {self.trainable:,}",
                f"Non-trainable params: {self.parameters - self.trainable:,}",
                rule,
                f"Input size (MB): {self.input_mb:.2f}",
                f"Forward/backward pass size (MB): {self.passes_mb:.2f}",
                f"Params size (MB): {self.parameters_mb:.2f}",
                f"Estimated Total Size (MB): {total:.2f}",
                rule,
            ]
        )


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
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        name = f"{type(module).__name__}-{len(rows) + 1}"
        rows.append(Layer(name, tuple(first.shape), own))

    skipped = nn.Sequential | nn.ModuleList | nn.Identity
    hooks = [
        module.register_forward_hook(note)
        for module in network.modules()
        if module is not network and not isinstance(module, skipped)
    ]
    modes = {module: module.training for module in network.modules()}
    device = next(network.parameters()).device
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(shape, device=device))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    parameters = list(network.parameters())
    count = _count(parameters)
    return LayerTable(
        layers=tuple(rows),
        parameters=count,
        trainable=_count([parameter for parameter in parameters if parameter.requires_grad]),
        input_mb=prod(shape) * _BYTES / _MEBI,
        passes_mb=2 * sum(prod(layer.shape) for layer in rows) * _BYTES / _MEBI,
        parameters_mb=count * _BYTES / _MEBI,
    )


def _count(parameters: list[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)
