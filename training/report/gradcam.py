"""Where in an image the evidence for an answer lies: Grad-CAM.

Selvaraju et al. 2017, arXiv:1610.02391. Where the logits are linear in the average of the last
maps, as with MobileNetV2, this is the class activation map of Zhou et al. 2016, arXiv:1512.04150.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from training.models.network import Classifier


def heat_maps(model: Classifier, images: Tensor, classes: Tensor) -> Tensor | None:
    """Weigh the maps before the pooling by the mean gradient of the class's logit.

    Args:
        model: In eval mode.
        images: float32 [B, 3, H, W], normalised.
        classes: int64 [B], the class that each image is asked about.

    Returns:
        float32 [B, h, w], 0…1, of the resolution of the last feature maps; 0 everywhere where
        nothing speaks for the class. None where the model keeps no maps up to its pooling.
    """
    kept: list[Tensor] = []

    # The pooling's input, not the last block's output, which a ReLU may change in place.
    def keep(_: nn.Module, inputs: tuple[Any, ...]) -> Tensor:
        kept.append(inputs[0].detach().requires_grad_())
        return kept[-1].clone()

    hook = model.pool.register_forward_pre_hook(keep)
    try:
        with torch.enable_grad():
            logits = model(images)
            (maps,) = kept
            if maps.dim() != 4:
                return None
            (gradients,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), maps)
    finally:
        hook.remove()
    heat = (gradients.mean((2, 3), keepdim=True) * maps.detach()).sum(1).clamp(min=0)
    return heat / heat.amax((1, 2), keepdim=True).clamp(min=torch.finfo(heat.dtype).tiny)
