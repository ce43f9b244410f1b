"""Where a run logs beside its own tables."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.models.torchvision_import import torchvision  # noqa: F401  Lightning imports it
from training.recipe import Recipe
from training.run import Run

from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger  # isort: skip

TRACKERS = ("none", "tensorboard", "wandb")


def make_loggers(tracker: str, run: Run, recipe: Recipe) -> list[Logger]:
    """Return Lightning's loggers for a tracker, which write into the run's folder.

    W&B sends nothing where ``WANDB_MODE=offline`` is set; ``wandb sync`` does so later.

    Raises:
        TrainingError: There is no such tracker, or its package is not installed.
    """
    if tracker not in TRACKERS:
        raise TrainingError(f"There is no tracker {tracker!r}; there is {', '.join(TRACKERS)}.")
    if tracker == "none":
        return []
    if find_spec(tracker) is None:
        raise TrainingError(
            f"The tracker {tracker} is not installed: .venv/bin/pip install {tracker}"
        )
    folder: Any = Path(run.folder)
    logger: Logger = (
        TensorBoardLogger(folder, name="", version="tensorboard")
        if tracker == "tensorboard"
        else WandbLogger(save_dir=folder, project=recipe.name)
    )
    logger.log_hyperparams(recipe.model_dump(mode="json"))
    return [logger]
