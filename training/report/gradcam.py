"""Where in an image the evidence for an answer lies.

Zhou et al. 2016, arXiv:1512.04150 (class activation maps); Selvaraju et al. 2017,
arXiv:1610.02391 (Grad-CAM).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from training.models.network import Classifier

_LINEAR = nn.AdaptiveAvgPool2d | nn.Flatten | nn.Dropout | nn.Identity
"""What may stand between the last maps and the head so that the logits are linear in the maps."""


def heat_maps(model: Classifier, images: Tensor, classes: Tensor) -> Tensor | None:
    """Return how much each place speaks for a class, in the way that suits the model.

    Args:
        model: In eval mode.
        images: float32 [B, 3, H, W], normalised.
        classes: int64 [B], the class that each image is asked about.

    Returns:
        float32 [B, h, w], 0…1, of the resolution of the last feature maps; 0 everywhere where
        nothing speaks for the class. None where the model keeps no maps up to its pooling.
    """
    if averages(model):
        return class_activation(model, images, classes)
    return gradient_activation(model, images, classes)


def averages(model: Classifier) -> bool:
    """Whether logits are linear in the average of the last block's maps."""
    layers = [*(model.pool.children() or [model.pool]), *list(model.classifier)[:-1]]
    pools = [layer for layer in layers if isinstance(layer, nn.AdaptiveAvgPool2d)]
    return (
        type(model).embed_from is Classifier.embed_from
        and all(isinstance(layer, _LINEAR) for layer in layers)
        and [pool.output_size for pool in pools] in ([1], [(1, 1)])
    )


@torch.no_grad()
def class_activation(model: Classifier, images: Tensor, classes: Tensor) -> Tensor:
    """Weigh the last maps by the class's weights: exact where ``averages``, and one forward."""
    maps = model.to_block(len(model.features), images)
    return _positive(torch.einsum("bchw,bc->bhw", maps, model.head.weight[classes]))


def gradient_activation(model: Classifier, images: Tensor, classes: Tensor) -> Tensor | None:
    """Weigh the maps before the pooling by the mean gradient of the class's logit.

    It is the tensor that is held, and not a module's output: a ReLU that works in place would
    have changed that before the gradient arrives.
    """
    held: list[Tensor] = []

    def hold(_: nn.Module, inputs: tuple[Any, ...]) -> Tensor:
        held.append(inputs[0].detach().requires_grad_())
        return held[-1].clone()

    hook = model.pool.register_forward_pre_hook(hold)
    try:
        with torch.enable_grad():
            logits = model(images)
            maps = held[0]
            if maps.dim() != 4:
                return None
            score = logits.gather(1, classes[:, None]).sum()
            (gradients,) = torch.autograd.grad(score, maps)
    finally:
        hook.remove()
    weights = gradients.mean((2, 3), keepdim=True)
    return _positive((weights * maps.detach()).sum(1))


def _positive(heat: Tensor) -> Tensor:
    """Keep what speaks for the class, and scale each map's highest place to 1."""
    heat = heat.clamp(min=0)
    highest = heat.amax((1, 2), keepdim=True)
    return heat / highest.clamp(min=torch.finfo(heat.dtype).tiny)
