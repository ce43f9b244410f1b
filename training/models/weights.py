"""Initial weights of a model: ImageNet, a shipped model, a file, or random."""

from __future__ import annotations

import socket
import warnings
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor

from training.errors import TrainingError
from training.models.classifier import backbone
from training.models.network import State
from training.output.progress import console
from training.torchvision_import import torchvision

_SILENCE = 10.0
# Seconds after which a server that does not answer is given up.

SHIPPED_MODELS = Path(__file__).parents[2] / "models"
"""The models that come with the project; see the MODEL_CARD.md of each."""


def find_weights(source: str, model: str) -> State | None:
    """Return the state dict to start from, or None for random weights.

    Args:
        source: ``imagenet`` (torchvision's download), ``none``, the name of a model that comes
            with the project, or the path of a state dict.
        model: The architecture; ``imagenet`` gives the weights of its backbone.

    Raises:
        TrainingError: They cannot be downloaded, the file is not a state dict, or ``imagenet`` is
            asked for and there is no such architecture.
    """
    if source == "none":
        return None
    if source == "imagenet":
        return _download(model)
    return _read(
        SHIPPED_MODELS / source / "weights.pt" if source in shipped_weights() else Path(source)
    )


def shipped_weights() -> list[str]:
    """Return the names of the weights that come with the project."""
    return sorted(path.parent.name for path in SHIPPED_MODELS.glob("*/weights.pt"))


def _download(model: str) -> State:
    weights = torchvision.models.get_model_weights(backbone(model)).DEFAULT
    waits = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE)
    try:
        state: State = weights.get_state_dict(progress=console.is_terminal, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise TrainingError(
            f"The ImageNet weights of {model} cannot be downloaded ({error}). Give "
            "--weights PATH with a state dict in torchvision's names, or --weights none to start "
            f"from random weights; {' or '.join(shipped_weights())} comes with the project."
        ) from error
    finally:
        socket.setdefaulttimeout(waits)
    return state


def _read(path: Path) -> State:
    if not path.is_file():
        raise TrainingError(
            f"There are no weights at {path}. Give --weights imagenet, none, "
            f"{', '.join(shipped_weights())}, or the path of a state dict."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about TorchScript archives, which are no state dicts
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch.load raises whatever the bytes provoke, in words that are not for a user.
        raise TrainingError(
            f"{path} is not a state dict that torch can load. Save one with "
            "torch.save(model.state_dict(), PATH)."
        ) from error
    if not isinstance(state, dict) or not all(map(_is_named_tensor, state.items())):
        raise TrainingError(
            f"{path} holds no state dict: it must map names to dense tensors of finite numbers."
        )
    return state


def _is_named_tensor(item: tuple[object, object]) -> bool:
    name, value = item
    if not isinstance(name, str) or not isinstance(value, Tensor):
        return False
    return value.layout == torch.strided and bool(torch.isfinite(value).all())
