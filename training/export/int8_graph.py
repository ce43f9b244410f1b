"""From a float32 ONNX file to an int8 one (QDQ).

Weights are symmetric int8 with a scale for each output channel, activations uint8 with one scale,
from the mean of the training images' smallest and largest values. Rounded weights shift the mean of
a convolution's output, most where it sums few products, and each layer adds to it; the bias takes
that shift back (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
Correction", section 4.2). For MobileNetV2 this is the larger part of the error.
"""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

Images = Sequence[NDArray[np.float32]]

_LARGEST = 127  # int8 weight; the smallest is its negative

_TYPES = ["Conv", "Gemm", "MatMul", "Clip", "Relu", "Add", "Concat", "MaxPool"]

_FIRST = 0.1
# Fraction of the convolutions, from the first, that stay float32: the answers of MobileNetV2 then
# differ by half as much, and it is as quick.


def write_int8(path: Path, target: Path, images: Images) -> None:
    """Quantise an ONNX file with one input; the first convolutions and the last layer stay float32.

    It is calibrated on training images, float32 [3, H, W], normalised.

    Raises:
        ValueError: There is nothing to quantise.
        Exception: ONNX Runtime's tools raise anything.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(path, prepared, skip_symbolic_shape=True)
        graph = onnx.load(prepared)
        convolutions = [node for node in graph.graph.node if node.op_type == "Conv"]
        linear = [node for node in graph.graph.node if node.op_type in ("Gemm", "MatMul")]
        first = math.ceil(len(convolutions) * _FIRST)
        if not convolutions[first:] and not linear[:-1]:
            raise ValueError("the network has too few layers")
        _correct_biases(graph, convolutions[first:], images)
        onnx.save(graph, prepared)
        quantize_static(
            prepared,
            target,
            _Reader(graph.graph.input[0].name, images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_TYPES,
            nodes_to_exclude=[node.name for node in (*convolutions[:first], *linear[-1:])],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"CalibMovingAverage": True},
        )


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Gives the images one by one."""

    def __init__(self, name: str, images: Images) -> None:
        self._feeds = iter([{name: image[None]} for image in images])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._feeds, None)


def _correct_biases(
    graph: onnx.ModelProto, convolutions: Sequence[onnx.NodeProto], images: Images
) -> None:
    """Add to each bias what rounding the weights takes from the mean of the output."""
    tensors = {tensor.name: tensor for tensor in graph.graph.initializer}
    means = _channel_means(graph, [node.input[0] for node in convolutions], images)
    for node in convolutions:
        if len(node.input) < 3:  # no bias
            continue
        weights = numpy_helper.to_array(tensors[node.input[1]])
        lost = (weights - _rounded(weights)).sum((2, 3))  # [outputs, inputs of a group]
        groups = next((a.i for a in node.attribute if a.name == "group"), 1)
        inputs = means[node.input[0]].reshape(groups, 1, -1)
        shift = (lost.reshape(groups, -1, lost.shape[1]) * inputs).sum(2).reshape(-1)
        bias = tensors[node.input[2]]
        corrected = (numpy_helper.to_array(bias) + shift).astype(np.float32)
        bias.CopyFrom(numpy_helper.from_array(corrected, bias.name))


def _rounded(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what int8 makes of weights [outputs, …]."""
    axes = tuple(range(1, weights.ndim))
    scale = np.abs(weights).max(axes, keepdims=True) / _LARGEST
    scale[scale == 0] = 1
    rounded: NDArray[np.float32] = np.round(weights / scale) * scale
    return rounded


def _channel_means(
    graph: onnx.ModelProto, names: Sequence[str], images: Images
) -> dict[str, NDArray[np.float64]]:
    """Return the mean of each channel of some of a graph's tensors over images."""
    names = list(dict.fromkeys(names))
    shown = onnx.ModelProto()
    shown.CopyFrom(graph)
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(
        shown.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feed = session.get_inputs()[0].name
    sums = {name: np.zeros(()) for name in names}
    for image in images:
        for name, output in zip(names, session.run(names, {feed: image[None]}), strict=True):
            sums[name] = sums[name] + output.mean((0, 2, 3), dtype=np.float64)
    return {name: total / len(images) for name, total in sums.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tools' advice, which is about other ways to call them, off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
