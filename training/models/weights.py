"""Where a model's first weights come from: ImageNet, this project, a file, or chance."""

from __future__ import annotations

import pickle
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor

from training.errors import TrainingError
from training.models.classifier import backbone
from training.models.network import State
from training.models.torchvision_import import torchvision

IMAGENET = "imagenet"
NONE = "none"

MODELS = Path(__file__).parents[2] / "models"
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
    if source == NONE:
        return None
    if source == IMAGENET:
        return _download(model)
    return _read(MODELS / source / "weights.pt" if source in shipped_weights() else Path(source))


def shipped_weights() -> list[str]:
    """Return the names of the weights that come with the project."""
    return sorted(path.parent.name for path in MODELS.glob("*/weights.pt"))


def _download(model: str) -> State:
    weights = torchvision.models.get_model_weights(backbone(model)).DEFAULT
    try:
        state: State = weights.get_state_dict(progress=True, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise TrainingError(
            f"The ImageNet weights of {model} cannot be downloaded ({error}). Give "
            "--weights PATH with a state dict in torchvision's names, or --weights none to start "
            f"from random weights; {' or '.join(shipped_weights())} comes with the project."
        ) from error
    return state


def _read(path: Path) -> State:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(
            f"There are no weights at {path}. Give --weights imagenet, none, "
            f"{', '.join(shipped_weights())}, or the path of a state dict."
        ) from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TrainingError(f"{path} is not a state dict that torch can load: {reason}") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise TrainingError(f"{path} holds no state dict: it must map names to tensors.")
    return state
