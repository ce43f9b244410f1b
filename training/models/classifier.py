"""The architectures by name."""

from __future__ import annotations

import torch
from torch import nn

from training.errors import TrainingError
from training.models.from_torchvision import NOT_LOADED, build_from_torchvision, check_name
from training.models.multiscale import NECK, MultiScale
from training.models.network import Classifier, State
from training.models.pyramid import SpatialPyramidMaxPool

__all__ = ["MODELS", "Classifier", "State", "backbone", "blueprint", "build_model"]

MODELS = ("mobilenet_v2", "mobilenet_v2_spp", "mobilenet_v2_multiscale", "alexnet")
"""The documents' architectures; any other of torchvision's classifiers works by its name."""

_ON_MOBILENET = ("mobilenet_v2_spp", "mobilenet_v2_multiscale")


def build_model(name: str, classes: int, weights: State | None = None) -> Classifier:
    """Build an architecture, its last layer new.

    - ``mobilenet_v2``: Sandler et al. 2018, arXiv:1801.04381; 1,280 features.
    - ``mobilenet_v2_spp``: its blocks, then spatial pyramid pooling (He et al. 2014,
      arXiv:1406.4729) of 4 × 4, 2 × 2 and 1 × 1 bins, 26,880 features; images from 32 px a side,
      of any aspect ratio.
    - ``mobilenet_v2_multiscale``: see ``MultiScale``; 32 features.
    - ``alexnet``: torchvision's form of Krizhevsky 2014, arXiv:1404.5997 (the one-tower version
      of Krizhevsky, Sutskever, Hinton 2012); 4,096 features.
    - Any other of torchvision's classifiers, by torchvision's name.

    Args:
        name: One of ``MODELS``, or of torchvision's classifiers.
        classes: Number of classes.
        weights: A state dict in torchvision's names; its last layer may be absent or of another
            number of classes. Those of plain MobileNetV2 serve all three forms of it. None leaves
            the initial, random weights.

    Raises:
        TrainingError: There is no such classifier, or the weights do not belong to it.
    """
    check_name(name, list(MODELS))
    network, last_layer = build_from_torchvision(backbone(name), classes)
    new_layers: tuple[str, ...] = ()
    if name == "mobilenet_v2_spp":
        pool = SpatialPyramidMaxPool((4, 2, 1))
        head = nn.Sequential(nn.Linear(1280 * (16 + 4 + 1), classes))
        network = Classifier(network.features, pool, head, any_size=True)
    elif name == "mobilenet_v2_multiscale":
        network, new_layers = MultiScale(network.features, classes), NECK
    if weights is not None:
        _load(network, weights, f"{last_layer}.", new_layers, name)
    return network


def blueprint(name: str, classes: int = 2, weights: State | None = None) -> Classifier:
    """Build an architecture without numbers, where only its blocks and shapes are asked for.

    Raises:
        TrainingError: There is no such classifier, or the weights do not belong to it.
    """
    try:
        with torch.device("meta"):
            return build_model(name, classes, weights)
    except NotImplementedError:  # some of torchvision's look at a number while they are built
        return build_model(name, classes, weights)


def backbone(name: str) -> str:
    """Return torchvision's name of the network whose weights a model starts from.

    Raises:
        TrainingError: There is no such classifier.
    """
    check_name(name, list(MODELS))
    return "mobilenet_v2" if name in _ON_MOBILENET else name


def _load(
    network: Classifier, weights: State, last_layer: str, new_layers: tuple[str, ...], name: str
) -> None:
    """Load all but the last layer; ``new_layers`` may be absent, but only together."""
    left_out: tuple[str, ...] = (last_layer, *NOT_LOADED)
    body = {key: value for key, value in weights.items() if not key.startswith(left_out)}
    if not any(key.startswith(new_layers) for key in body):
        left_out += new_layers
    wanted = {
        key: value for key, value in network.state_dict().items() if not key.startswith(left_out)
    }
    missing = sorted(wanted.keys() - body.keys())
    extra = sorted(body.keys() - wanted.keys())
    wrong = [key for key in wanted.keys() & body.keys() if wanted[key].shape != body[key].shape]
    if missing or extra or wrong:
        first = (missing + extra + sorted(wrong))[0]
        raise TrainingError(
            f"The weights do not belong to {name}: {len(missing)} of its tensors are missing, "
            f"{len(extra)} are unknown to it and {len(wrong)} have another shape; the first is "
            f"{first!r}. Give --weights a state dict in torchvision's names."
        )
    has_numbers = not next(network.parameters()).is_meta
    network.load_state_dict(body, strict=False, assign=not has_numbers)
