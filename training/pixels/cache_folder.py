"""Which folder a run keeps its decoded pictures in."""

from __future__ import annotations

from pathlib import Path

from training.errors import TrainingError
from training.output.progress import console
from training.pixels.cache import Folder

NONE = "none"
"""What a user writes to keep pictures in memory."""

_RUNS, _PIXELS = "runs", ".pixels"


def check_cache(given: str | None) -> None:
    """Make sure of the folder that a user gave, before any work is done.

    Raises:
        TrainingError: It cannot be made.
    """
    if given is not None and given != NONE:
        Folder(Path(given))


def choose_cache(given: str | None, run: Path | None = None) -> Path | None:
    """Return the folder that keeps decoded pictures; None for memory.

    Args:
        given: By the user: a folder, or ``none`` for memory. Without it, all runs below a folder
            ``runs`` share its ``.pixels``, and those elsewhere have one beside them; where that
            cannot be written, a line says so, and pictures stay in memory.
        run: The run's folder; None for ``runs/.pixels``.
    """
    if given is not None:
        return None if given == NONE else Path(given)
    folder = _default(run)
    try:
        Folder(folder)
    except TrainingError as error:
        console.print(f"Pictures stay in memory. {error}", soft_wrap=True)
        return None
    return folder


def _default(run: Path | None) -> Path:
    if run is None:
        return Path(_RUNS) / _PIXELS
    parents = run.absolute().parents
    shared = next((folder for folder in parents if folder.name == _RUNS), parents[0])
    return shared / _PIXELS
