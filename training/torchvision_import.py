"""The one place that imports torchvision, with or without its compiled operators.

torchvision's x86-64 wheel is built against CUDA. Beside a CPU build of torch its compiled
operators do not load, and ``import torchvision`` dies with ``operator torchvision::nms does not
exist``. Only detection needs them: once their schemas are declared, models and transforms work.
Import this module before any library that imports torchvision itself (Lightning, torchmetrics).
"""

from __future__ import annotations

import sys

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_library: torch.library.Library | None = None


def _declare_missing_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    return library


try:
    import torchvision
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    _library = _declare_missing_operators()  # kept: the declaration ends with the object
    import torchvision

__all__ = ["torchvision"]
