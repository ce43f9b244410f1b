"""The network of a run, with the weights of its best epoch."""

from __future__ import annotations

import torch

from training.errors import TrainingError
from training.models.classifier import Classifier, build_model
from training.recipe import Recipe
from training.run import Run


def load_best(run: Run, recipe: Recipe, classes: int) -> Classifier:
    """Build a run's network and load what the run kept.

    Raises:
        TrainingError: The checkpoint cannot be read, or is not that of such a network.
    """
    try:
        state = torch.load(run.checkpoint, map_location="cpu", weights_only=True)
        model = build_model(recipe.model, classes)
        model.load_state_dict(state)
    except Exception as error:
        # torch.load raises whatever the bytes provoke.
        raise TrainingError(
            f"{run.checkpoint} does not hold the weights of a {recipe.model} with "
            f"{classes} classes. Train again, or resume: --resume {run.folder}"
        ) from error
    return model.eval()
