"""The published network as plain PyTorch modules, and a picture's way to it by torchvision."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor, nn

from model_loader import Metadata, Resize
from training.torchvision_import import torchvision


class Eager:
    """Answers as PyTorch without an export would: the picture decoded whole, op by op."""

    def __init__(self, version: Path) -> None:
        """Take the weights out of a version's TorchScript file.

        Raises:
            ValueError: It is not a MobileNetV2 whose pictures are squashed to one size.
        """
        self._metadata = Metadata.from_json((version / "model.json").read_bytes())
        (resize,) = self._metadata.transform.image_ops
        if not isinstance(resize, Resize):
            raise ValueError("the reference knows models that resize, and nothing else")
        normalize = self._metadata.transform.normalize
        self._transform = torchvision.transforms.Compose(
            [
                torchvision.transforms.Resize((resize.height, resize.width)),
                torchvision.transforms.ToTensor(),
                torchvision.transforms.Normalize(normalize.mean, normalize.std),
            ]
        )
        torch.set_num_threads(1)
        self._network = _network(version / "model.pt", len(self._metadata.labels))

    def probabilities(self, data: bytes) -> NDArray[np.float64]:
        """Return the probability of each class for one image file."""
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        with torch.inference_mode():
            logits = self._network(self._transform(image)[None])[0].double()
        result: NDArray[np.float64] = (logits / self._metadata.temperature).softmax(0).numpy()
        return result


def _network(file: Path, classes: int) -> nn.Module:
    """Return torchvision's MobileNetV2 with a frozen file's weights: its statistics are folded."""
    network = torchvision.models.mobilenet_v2(num_classes=classes)
    layers = list(_without_statistics(network))
    for layer, (weight, bias) in zip(layers, _weights(file), strict=True):
        layer.weight = nn.Parameter(weight)
        layer.bias = nn.Parameter(bias)
    evaluated: nn.Module = network.eval()
    return evaluated


def _without_statistics(network: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    """Replace batch normalisations by nothing; yield the layers with weights in their order."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            yield module


def _weights(file: Path) -> Iterator[tuple[Tensor, Tensor]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        frozen = torch.jit.load(file)  # type: ignore[no-untyped-call]
    for node in frozen.inlined_graph.nodes():
        if node.kind() in ("aten::conv2d", "aten::_convolution", "aten::linear"):
            _, weight, bias, *_ = node.inputs()
            yield weight.toIValue(), bias.toIValue()
