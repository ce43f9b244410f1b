"""The architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from training.errors import TrainingError
from training.models.torchvision_import import torchvision

State = Mapping[str, Tensor]


class Classifier(nn.Module):
    """A network whose last part can be trained alone, on the outputs of the rest.

    Its state dict has torchvision's names: a checkpoint serves as ``--weights`` anywhere.

    Attributes:
        features: From images, float32 [B, 3, H, W], normalised, to feature maps.
        pool: From feature maps to features, float32 [B, F]; it has no weights.
        classifier: From features to logits, float32 [B, classes].
    """

    def __init__(self, features: nn.Module, pool: nn.Module, classifier: nn.Module) -> None:
        """Join the three parts."""
        super().__init__()
        self.features = features
        self.pool = pool
        self.classifier = classifier

    def embed(self, images: Tensor) -> Tensor:
        """Return the features that the classifier works on, float32 [B, F]."""
        features: Tensor = self.pool(self.features(images))
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, float32 [B, classes]."""
        logits: Tensor = self.classifier(self.embed(images))
        return logits


def build_model(name: str, classes: int, weights: State | None = None) -> Classifier:
    """Build an architecture.

    Args:
        name: One of ``MODELS``.
        classes: Number of classes.
        weights: A state dict in torchvision's names; its last layer may be absent or of another
            number of classes. None leaves the initial, random weights.

    Raises:
        TrainingError: There is no such architecture, or the weights do not belong to it.
    """
    if name not in MODELS:
        raise TrainingError(f"There is no model {name!r}; there is {', '.join(MODELS)}.")
    return MODELS[name](classes, weights)


def _mobilenet_v2(classes: int, weights: State | None) -> Classifier:
    """MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), 1,280 features, its last layer new."""
    network = torchvision.models.mobilenet_v2(num_classes=classes)
    if weights is not None:
        _load(network, weights, last_layer="classifier.1.", name="mobilenet_v2")
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
    return Classifier(network.features, pool, network.classifier)


MODELS: dict[str, Callable[[int, State | None], Classifier]] = {"mobilenet_v2": _mobilenet_v2}
"""What builds each architecture."""


def _load(network: nn.Module, weights: State, last_layer: str, name: str) -> None:
    body = {key: value for key, value in weights.items() if not key.startswith(last_layer)}
    wanted = {
        key: value for key, value in network.state_dict().items() if not key.startswith(last_layer)
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
    network.load_state_dict(body, strict=False)
