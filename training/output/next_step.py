"""The last line of a command: what one would run next."""

from __future__ import annotations

import shlex
from itertools import chain, count
from pathlib import Path

from training.output.progress import say

LOCAL_STORE = "store"
"""The folder that a model is published to where no other store is known."""


def say_next(*arguments: object) -> None:
    """Say which command one would run next, quoted for a shell.

    Args:
        arguments: Those of ``python -m training``.
    """
    say(shlex.join(["python", "-m", "training", *map(str, arguments)]), "Next:")


def beside(path: Path, ending: str) -> Path:
    """Return a new path beside another: ``photos-clean``, or ``photos-clean-2`` if that exists.

    Args:
        path: A folder, such as ``photos``.
        ending: What to add to its name, such as ``-clean``, perhaps with a suffix.
    """
    folder = path if path.name not in ("", "..") else path.resolve()
    target = folder.with_name(folder.name + ending)
    others = (target.with_stem(f"{target.stem}-{number}") for number in count(2))
    return next(free for free in chain([target], others) if not free.exists())
