"""From a network to an ONNX file."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

SMALLEST = 32
"""The smallest height and width of an exported network that takes any size."""


def write_onnx(network: nn.Module, images: Tensor, path: Path, any_size: bool) -> None:
    """Export a network in eval mode; its input is named ``images``, its output ``logits``.

    Args:
        network: From images, float32 [B, 3, H, W], to one tensor [B, …].
        images: An example, of the size that the file takes.
        path: The file to write.
        any_size: Whether the file takes images of all heights and widths from 32 pixels up.

    Raises:
        ValueError: The network's graph takes one size only, where it has to take all.
        Exception: The exporter raises anything.
    """
    shape: dict[int, Any] = {0: torch.export.Dim("batch", min=1)}
    if any_size:
        sides = {2: "height", 3: "width"}
        shape |= {axis: torch.export.Dim(side, min=SMALLEST) for axis, side in sides.items()}
        # An example whose maps were 1 high or wide would fix that size in the graph.
        images = images.new_zeros(1, 3, 192, 256)
    network = copy.deepcopy(network)
    for module in network.modules():  # torch.export takes seconds to decompose what works in place
        if hasattr(module, "inplace"):
            module.inplace = False  # type: ignore[assignment]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="torch|onnxscript|copyreg")
        torch.onnx.export(
            network,
            (images[:1].repeat(2, 1, 1, 1),),
            path,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=(shape,),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    axes = model.graph.input[0].type.tensor_type.shape.dim
    if any_size and not all(axis.dim_param for axis in axes[2:]):
        fixed = " × ".join(str(axis.dim_value or "any") for axis in axes[2:])
        raise ValueError(f"its graph takes images of {fixed} pixels alone")
    _forget_source_lines(model)
    onnx.save(model, path)


def _forget_source_lines(model: onnx.ModelProto) -> None:
    """Drop the stack traces that the exporter leaves at each node: they name local paths."""
    for entry in (model.graph, *model.graph.node, *model.graph.value_info):
        del entry.metadata_props[:]
        entry.doc_string = ""
