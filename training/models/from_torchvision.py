"""torchvision's classifiers, taken apart into blocks, pooling and last layer."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import Tensor, nn

from training.errors import TrainingError
from training.models.network import Classifier, name_as
from training.models.torchvision_import import torchvision

NOT_LOADED = ("aux1.", "aux2.", "AuxLogits.")
"""Side outputs that GoogLeNet's and Inception's weights have for training; ours have none."""


def torchvision_classifiers() -> list[str]:
    """Return the names of torchvision's image classifiers that end with a linear layer."""
    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return [name for name in names if not name.startswith("squeezenet")]


def check_name(name: str, ours: list[str]) -> None:
    """Refuse what is no classifier.

    Args:
        name: What the user asks for.
        ours: The names that are this project's own.

    Raises:
        TrainingError: Neither this project nor torchvision has a classifier of that name.
    """
    known = [*ours, *torchvision_classifiers()]
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if name.startswith("squeezenet"):
        reason = "ends with a convolution, so it has no last layer that can be trained alone"
    elif name in torchvision.models.list_models():
        reason = "is no image classifier"
    else:
        raise TrainingError(
            f"There is no model {name!r}; there is {', '.join(ours)}, and torchvision's "
            f"classifiers by name{_hint(near)}."
        )
    raise TrainingError(
        f"torchvision's {name} {reason}. Take {', '.join(ours)}, or another of torchvision's "
        f"classifiers{_hint(near)}."
    )


def build_from_torchvision(name: str, classes: int) -> tuple[Classifier, str]:
    """Build one of torchvision's classifiers with random weights.

    Where torchvision's network is ``features`` or layers in a row, its parts are the blocks;
    otherwise all but the last layer is one block.

    Returns:
        The network, and the name of its last layer in the state dict.
    """
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        options = {"aux_logits": False, "init_weights": True}
    network = torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
    kinds = torchvision.models
    average = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
    if isinstance(network, kinds.MobileNetV2):
        return Classifier(network.features, average, network.classifier), "classifier"
    if isinstance(network, kinds.MNASNet):
        classifier = Classifier(network.layers, average, network.classifier)
        name_as(classifier, {"features.": "layers."})
        return classifier, "classifier.1"
    if isinstance(network, kinds.ConvNeXt):
        return _in_parts(network, network.avgpool)
    if isinstance(network, kinds.AlexNet | kinds.VGG | kinds.MobileNetV3 | kinds.EfficientNet):
        return _in_parts(network, nn.Sequential(network.avgpool, nn.Flatten(1)))
    if isinstance(network, kinds.GoogLeNet | kinds.Inception3):
        return _in_a_row(network, average, _FromUsualInput()), "fc"
    if isinstance(network, kinds.ResNet | kinds.RegNet | kinds.ShuffleNetV2):
        return _in_a_row(network, average), "fc"
    return _whole(network)


def _in_parts(network: Any, pool: nn.Module) -> tuple[Classifier, str]:
    last = f"classifier.{len(network.classifier) - 1}"
    return Classifier(network.features, pool, network.classifier), last


def _in_a_row(network: Any, average: nn.Module, *first: nn.Module) -> Classifier:
    """Make each child up to the average pooling a block; then dropout, if any, and ``fc``."""
    children = dict(network.named_children())
    end = [*children, "avgpool"].index("avgpool")
    named = {name: children[name] for name in list(children)[:end] if name != "fc"}
    last = [children[name] for name in ("dropout", "fc") if name in children]
    classifier = Classifier(nn.Sequential(*first, *named.values()), average, nn.Sequential(*last))
    names = {f"features.{block}.": f"{name}." for block, name in enumerate(named, len(first))}
    name_as(classifier, {**names, f"classifier.{len(last) - 1}.": "fc."})
    return classifier


class _FromUsualInput(nn.Module):
    """From pixels normalised by ImageNet's mean and deviation to −1…1.

    The ImageNet weights of GoogLeNet and Inception expect these (torchvision's
    ``transform_input``).
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale: Tensor  # not in the class: TorchScript cannot read annotations as strings
        self.shift: Tensor
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        self.register_buffer("scale", (deviation / 0.5).reshape(3, 1, 1), persistent=False)
        self.register_buffer("shift", ((mean - 0.5) / 0.5).reshape(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return images * self.scale + self.shift


def _whole(network: nn.Module) -> tuple[Classifier, str]:
    last = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)][-1]
    head = network.get_submodule(last)
    network.set_submodule(last, nn.Identity())
    classifier = Classifier(nn.Sequential(network), nn.Identity(), nn.Sequential(head))
    name_as(classifier, {"features.0.": "", "classifier.0.": f"{last}."})
    return classifier, last


def _hint(near: list[str]) -> str:
    return f"; the nearest are {', '.join(near)}" if near else " (resnet18, efficientnet_b0, …)"
