"""Checks of a recipe and its network, before any image is read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from training.augment.sizing import MIN_SIDE, get_strategy
from training.errors import TrainingError
from training.fitting.stage_data import count_views
from training.fitting.thaw import StagedModel, first_block
from training.models.classifier import blueprint, build_model
from training.output.progress import tell
from training.recipe import Recipe

Shape = tuple[int, int]
"""Height and width."""

_WARNING, _FATAL = 2, 4


def check_network(recipe: Recipe) -> None:
    """Check that a network has the blocks that its recipe thaws, and takes and exports its images.

    Raises:
        TrainingError: It does not; the message names the keys.
    """
    network = blueprint(recipe.model, classes=2).eval()
    for number, stage in enumerate(recipe.stages):
        try:
            first_block(network, stage.thaw)
        except TrainingError as error:
            where = f"stages.{number}.thaw of the recipe {recipe.name}"
            raise TrainingError(f"{where}: {error}") from None
    device = next(network.parameters()).device
    for key, size in _sizes(recipe).items():
        for height, width in _shapes(recipe, size):
            try:
                with torch.no_grad():
                    network(torch.empty(1, 3, height, width, device=device))
            except (RuntimeError, AssertionError, ValueError) as error:
                raise TrainingError(
                    f"model and {key}: {recipe.model} does not take images of {height} × {width} "
                    f"pixels, which sizing.strategy {recipe.sizing.strategy} makes: "
                    f"{_reason(error)}. Change the size, the strategy or the model."
                ) from error
    if get_strategy(recipe.sizing.strategy).side is None and not network.any_size:
        _check_export(recipe)


def check_room(recipe: Recipe, images: int, folder: Path, free: int) -> None:
    """Check that the outputs of frozen layers fit on the disk of a run.

    Args:
        recipe: The recipe.
        images: Number of images of all parts.
        folder: Where the run is.
        free: Free bytes there.

    Raises:
        TrainingError: They do not in a stage; the message names its keys.
    """
    network = blueprint(recipe.model, classes=2)
    for number, stage in enumerate(recipe.stages):
        staged = StagedModel(network, stage.thaw)
        views = count_views(stage, recipe.augments(stage))
        if not staged.can_be_cached or not views:
            continue
        size = recipe.size(stage)
        with torch.no_grad():
            device = next(network.parameters()).device
            output = staged.eval().frozen(torch.empty(1, 3, size, size, device=device))
        trained = images * (1 - recipe.split.validation - recipe.split.test)
        rows = views * trained + images * recipe.split.validation
        needed = rows * output.numel() * (4 if output.ndim == 2 else 2)
        if needed > free:
            raise TrainingError(
                f"Stage {number + 1} keeps the outputs of its frozen layers, about "
                f"{needed / 1e9:,.1f} GB, and {folder} has {free / 1e9:,.1f} GB free. Make room, "
                f"give --save a folder on another disk, or compute them in each epoch: --set "
                f"stages.{number}.views=0"
            )


def _sizes(recipe: Recipe) -> dict[str, int]:
    stages = {f"stages.{n}.size": stage.size for n, stage in enumerate(recipe.stages)}
    own = {key: size for key, size in stages.items() if size is not None}
    return {"sizing.size": recipe.sizing.size, **own}


def _shapes(recipe: Recipe, size: int) -> list[Shape]:
    """Return the shapes of images; where each image keeps its own, the extreme ones."""
    if get_strategy(recipe.sizing.strategy, size).side is not None:
        return [(size, size)]
    longest = size * size // MIN_SIDE
    return [(MIN_SIDE, MIN_SIDE), (MIN_SIDE, longest), (longest, MIN_SIDE), (size, size)]


def _check_export(recipe: Recipe) -> None:
    """Export a network with random weights: whether every size is possible shows only then."""
    from training.export.torchscript import export_version

    tell(f"Trying whether {recipe.model} can be exported for images of every size")
    with tempfile.TemporaryDirectory() as folder, _quiet():
        try:
            export_version(
                build_model(recipe.model, 2),
                Path(folder) / "model",
                name=recipe.name,
                labels=("a", "b"),
                transform=recipe.transform(),
            )
        except Exception as error:
            # The exporters share no class of their own for what they cannot do.
            raise TrainingError(
                f"model and sizing.strategy: {recipe.model} cannot be exported for images of every "
                f"size, which the strategy variable makes: {_reason(error)}. Take the strategy "
                "squash or pad_crop, or the model mobilenet_v2_spp."
            ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what ONNX Runtime logs of a graph that fails off the terminal."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(_FATAL)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__
