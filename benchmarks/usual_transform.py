"""The transform of the baselines: torchvision's, on images decoded whole."""

from __future__ import annotations

from typing import Any

from training.torchvision_import import torchvision


def usual_transform(side: int) -> Any:
    """Return torchvision's transform of an RGB image to float32 [3, side, side], normalised."""
    return torchvision.transforms.Compose(
        [
            torchvision.transforms.Resize((side, side)),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
