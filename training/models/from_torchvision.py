"""torchvision's classifiers, taken apart into blocks, pooling and last layer."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from training.errors import TrainingError
from training.models.network import Classifier, name_as
from training.torchvision_import import torchvision

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

    The blocks are those that torchvision builds it of: its stages, its encoder's layers, or the
    children of its ``features``.

    Returns:
        The network, and the name of its last layer in the state dict.
    """
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        options = {"aux_logits": False, "init_weights": True}
    network = torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
    return from_network(network)


def from_network(network: Any) -> tuple[Classifier, str]:
    """Take one of torchvision's networks apart; see ``build_from_torchvision``.

    Raises:
        TypeError: Its architecture is not known here.
    """
    kinds = torchvision.models
    average = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
    if isinstance(network, kinds.MobileNetV2):
        return Classifier(network.features, average, network.classifier), "classifier"
    if isinstance(network, kinds.ConvNeXt):
        return _in_parts(network, network.avgpool)
    if isinstance(network, kinds.AlexNet | kinds.VGG | kinds.MobileNetV3 | kinds.EfficientNet):
        return _in_parts(network, nn.Sequential(network.avgpool, nn.Flatten(1)))
    if isinstance(network, kinds.GoogLeNet | kinds.Inception3):
        return _in_a_row(network, average, _FromUsualInput())
    if isinstance(network, kinds.ResNet | kinds.ShuffleNetV2):
        return _in_a_row(network, average)
    if isinstance(network, kinds.RegNet):
        blocks = {"stem": network.stem, **_children(network.trunk_output, "trunk_output.")}
        return _join(blocks, average, {"fc": network.fc})
    if isinstance(network, kinds.MNASNet):
        layers = _children(network.layers, "layers.")
        return _join(layers, average, _children(network.classifier, "classifier."))
    if isinstance(network, kinds.MaxVit):
        blocks = {"stem": network.stem, **_children(network.blocks, "blocks.")}
        return _join(blocks, nn.Identity(), _children(network.classifier, "classifier."))
    if isinstance(network, kinds.DenseNet):
        blocks = _children(network.features, "features.")
        pool = nn.Sequential(blocks.pop("features.norm5"), nn.ReLU(), *average)
        names = {"pool.0.": "features.norm5."}
        return _join(blocks, pool, {"classifier": network.classifier}, names)
    if isinstance(network, kinds.SwinTransformer):
        *stages, last = network.features
        end = f"features.{len(stages)}."  # its last maps are laid out as images are: see Grad-CAM
        features = nn.Sequential(*stages, nn.Sequential(last, network.norm, network.permute))
        classifier = Classifier(features, average, nn.Sequential(network.head))
        name_as(classifier, {f"{end}0.": end, f"{end}1.": "norm.", "classifier.0.": "head."})
        return classifier, "head"
    if isinstance(network, kinds.VisionTransformer):
        blocks = {"": _Tokens(network), **_children(network.encoder.layers, "encoder.layers.")}
        pool = nn.Sequential(network.encoder.ln, _FirstToken())
        return _join(blocks, pool, _children(network.heads, "heads."), {"pool.0.": "encoder.ln."})
    raise TypeError(f"{type(network).__name__} is not an architecture with known blocks")


def _in_parts(network: Any, pool: nn.Module) -> tuple[Classifier, str]:
    last = f"classifier.{len(network.classifier) - 1}"
    return Classifier(network.features, pool, network.classifier), last


def _in_a_row(network: Any, average: nn.Module, *first: nn.Module) -> tuple[Classifier, str]:
    """Make each child up to the average pooling a block; then dropout, if any, and ``fc``."""
    children = dict(network.named_children())
    end = [*children, "avgpool"].index("avgpool")
    blocks = {name: children[name] for name in list(children)[:end] if name != "fc"}
    last = {name: children[name] for name in ("dropout", "fc") if name in children}
    return _join({**{f"first{i}": block for i, block in enumerate(first)}, **blocks}, average, last)


def _children(container: nn.Module, prefix: str) -> dict[str, nn.Module]:
    return {f"{prefix}{name}": child for name, child in container.named_children()}


def _join(
    blocks: Mapping[str, nn.Module],
    pool: nn.Module,
    classifier: Mapping[str, nn.Module],
    names: Mapping[str, str] | None = None,
) -> tuple[Classifier, str]:
    """Join parts whose tensors keep torchvision's names: the keys, and ``names`` for others."""
    joined = Classifier(nn.Sequential(*blocks.values()), pool, nn.Sequential(*classifier.values()))
    parts = {"features": blocks, "classifier": classifier}
    own = {
        f"{part}.{number}.": f"{name}." if name else ""
        for part, named in parts.items()
        for number, name in enumerate(named)
    }
    name_as(joined, {**own, **(names or {})})
    return joined, list(classifier)[-1]


class _Tokens(nn.Module):
    """The start of a vision transformer: from images to patches' tokens behind the class token."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.side = int(network.image_size)
        self.class_token = network.class_token
        self.conv_proj = network.conv_proj
        self.encoder = _Positions(network.encoder)

    def forward(self, images: Tensor) -> Tensor:
        torch._assert(  # type: ignore[no-untyped-call]
            images.shape[2] == self.side and images.shape[3] == self.side,
            f"the images must have {self.side} × {self.side} pixels",
        )
        patches = self.conv_proj(images).flatten(2).permute(0, 2, 1)
        first = self.class_token.expand(patches.shape[0], -1, -1)
        tokens: Tensor = self.encoder(torch.cat([first, patches], dim=1))
        return tokens


class _Positions(nn.Module):
    """Adds each token's place."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.pos_embedding = encoder.pos_embedding
        self.dropout = encoder.dropout

    def forward(self, tokens: Tensor) -> Tensor:
        placed: Tensor = self.dropout(tokens + self.pos_embedding)
        return placed


class _FirstToken(nn.Module):
    """From tokens, [B, N, F], to the class token, [B, F]."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0]


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


def _hint(near: list[str]) -> str:
    return f"; the nearest are {', '.join(near)}" if near else " (resnet18, efficientnet_b0, …)"
