"""What runs the frozen part of a model over many images: the quickest that gives its answers.

Measured on two cores beside other work, MobileNetV2 with 224 px images in batches of 16, CPU ms an
image: all but the head 10 by ONNX Runtime, all but the last 4 blocks 8.5 against PyTorch's 25
(channels_last, ``training.process`` on), all but the last 7 blocks 6.5 against 22.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.fitting.thaw import Trainee
from training.progress import console

Runner = Callable[[Tensor], NDArray[np.float32]]
"""From images, float32 [B, 3, H, W], normalised, to the frozen part's outputs, [B, …]."""

WORTH_IMAGES = 400
"""Exporting takes 4–6 s, and saves some 15 ms for each image."""

_RELATIVE, _ABSOLUTE = 1e-3, 1e-4
"""Largest difference to PyTorch's outputs on the first batch."""


def frozen_runner(
    trainee: Trainee, example: Callable[[], Tensor], images: int, device: torch.device
) -> Runner:
    """Return what runs a trainee's frozen part, in eval mode.

    Args:
        trainee: Its frozen part is run.
        example: Gives the first images, float32 [B, 3, H, W].
        images: How many will be run in all.
        device: What training computes on. ONNX Runtime stands in for a CPU only, where there are
            images enough and the part can be exported.
    """
    trainee.eval()
    if device.type == "cpu" and images >= WORTH_IMAGES:
        try:
            return _by_onnx_runtime(trainee, example())
        except Exception as error:
            # Whatever the exporter meets in a network that is not ours.
            reason = str(error).strip().splitlines() or [type(error).__name__]
            console.print(f"PyTorch computes the features: {reason[0]}", highlight=False)
    return _by_torch(trainee, device)


def _by_torch(trainee: Trainee, device: torch.device) -> Runner:
    def run(images: Tensor) -> NDArray[np.float32]:
        trainee.to(device)
        with torch.inference_mode():
            moved = images.to(device).contiguous(memory_format=torch.channels_last)
            outputs: NDArray[np.float32] = trainee.frozen(moved).float().cpu().numpy()
        return outputs

    return run


def _by_onnx_runtime(trainee: Trainee, example: Tensor) -> Runner:
    import onnxruntime

    from training.onnx_graph import write_onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # training.process
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frozen.onnx"
        write_onnx(_Frozen(trainee).eval(), example, path, trainee.model.any_size)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> NDArray[np.float32]:
        outputs: NDArray[np.float32] = session.run(None, {"images": images.numpy()})[0]
        return outputs

    wanted = _by_torch(trainee, torch.device("cpu"))(example)
    if not np.allclose(run(example), wanted, _RELATIVE, _ABSOLUTE):
        raise ValueError("ONNX Runtime answers differently.")
    return run


class _Frozen(nn.Module):
    """The frozen part as a module of its own."""

    def __init__(self, trainee: Trainee) -> None:
        super().__init__()
        self.trainee = trainee

    def forward(self, images: Tensor) -> Tensor:
        return self.trainee.frozen(images)
