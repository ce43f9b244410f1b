"""What is refused when a training starts: before Lightning is imported and any image is read."""

from __future__ import annotations

import netrc
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from training.data.groups import rows_with_groups
from training.data.source import DataSource
from training.data.split import read_split
from training.data.table import read_folder
from training.errors import TrainingError
from training.output.terminal import is_unicode
from training.pixels.cache import check_cache
from training.run import new_run

if TYPE_CHECKING:
    from training.recipe import Recipe

TRACKERS = ("none", "tensorboard", "wandb")

_LOG_IN = (
    "Log in with .venv/bin/wandb login, or set WANDB_MODE=offline and send the run later with "
    ".venv/bin/wandb sync."
)


def check_tracker(name: str) -> None:
    """Check that a tracker can be used.

    Raises:
        TrainingError: There is no such tracker, its package is not installed, or nobody is logged
            in to it.
    """
    if name not in TRACKERS:
        raise TrainingError(f"There is no tracker {name!r}; there is {', '.join(TRACKERS)}.")
    found = None if name == "none" else find_spec(name)
    # A folder of the same name, such as W&B makes, is found too, but has no origin.
    if name != "none" and (found is None or found.origin is None):
        raise TrainingError(f"The tracker {name} is not installed: .venv/bin/pip install {name}")
    if name != "wandb":
        return
    if not all(map(is_unicode, (*sys.argv, str(Path.cwd())))):
        raise TrainingError(
            "Weights & Biases records the command line and the folder it runs in, and a name in "
            "them is not UTF-8. Rename the file or folder, or take --tracker tensorboard."
        )
    if not _is_logged_in():
        raise TrainingError(f"Weights & Biases has no login on this machine. {_LOG_IN}")


def check_places(source: DataSource, save: Path | None, cache: str | None) -> int:
    """Check the folders and tables that a training reads and writes; no image is read.

    Returns:
        The number of images.

    Raises:
        TrainingError: One is missing, unusable, or, for the run's folder, not empty.
    """
    if os.environ.get("RANK", "0") == "0":  # the others find the folder that the first one made
        new_run("run", save)
    check_cache(cache)
    table = read_folder(source.folder)
    if source.groups is not None:
        rows_with_groups(table.rows, source.groups)
    if source.split is not None:
        read_split(source.split)
    return len(table.rows)


def check_recipe(
    name: str,
    overrides: Sequence[str] | None,
    weights: str,
    images: int,
    save: Path | None = None,
) -> Recipe:
    """Return a recipe whose network, weights and disk space are checked.

    ImageNet's weights are downloaded, unless they were before. ``images`` is the number of images,
    ``save`` the run's folder, None for one below ``runs``.

    Raises:
        TrainingError: One of them will not do.
    """
    from training.check import check_network, check_room
    from training.models.classifier import backbone, blueprint
    from training.models.weights import find_weights
    from training.recipe import load_recipe

    recipe = load_recipe(name, overrides or ())
    check_network(recipe)
    blueprint(recipe.model, weights=find_weights(weights, backbone(recipe.model)))
    folder = (save or Path("runs")).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    check_room(recipe, images, there, shutil.disk_usage(there).free)
    return recipe


def _is_logged_in() -> bool:
    """Whether W&B needs no key, or finds one where its ``login`` puts it."""
    if os.environ.get("WANDB_MODE", "online") != "online" or os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    given = os.environ.get("NETRC")
    for path in [Path(given)] if given else [Path.home() / ".netrc", Path.home() / "_netrc"]:
        try:
            if host and netrc.netrc(path).authenticators(host):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False
