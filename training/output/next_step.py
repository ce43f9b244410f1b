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


def as_options(**given: object) -> list[object]:
    """Return options as they were given: ``skip=["dark"]`` as ``--skip dark``; None is left out.

    ``overrides`` are those of ``--set``.
    """
    words: list[object] = []
    for name, value in given.items():
        option = "--set" if name == "overrides" else f"--{name}"
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            words += [option, one]
    return words


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


def say_next_serve(address: str) -> None:
    """Say how to serve a model on this machine, as a command to be pasted."""
    say(f"make serve MODEL_URI={shlex.quote(address)}", "Next:", is_command=True)
