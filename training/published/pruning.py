"""Removing old versions of a model."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

from model_loader.store import CURRENT
from training.errors import TrainingError
from training.output.progress import progress, say
from training.output.terminal import few
from training.published.destination import Destination, open_destination
from training.published.publication import current_version
from training.published.stored_versions import (
    VERSIONS,
    Published,
    list_versions,
    why_none_is_current,
)

_UNDER_WAY = 24 * 3600.0
# Seconds after the last write in which a version without model.json may yet become whole.


@dataclass(frozen=True)
class Decision:
    """Whether a version is removed.

    Attributes:
        version: The version.
        kept: Why it stays; '' where it is removed.
    """

    version: Published
    kept: str


def decide(address: str, keep: int, pinned: Sequence[str] = ()) -> list[Decision]:
    """Decide which versions of a model are removed; nothing is written.

    Those stay that are current or pinned, and the newest ones that can be served, with all that are
    newer than the oldest of these. What an interrupted publication or removal has left is removed
    once it is a day old.

    Args:
        address: ``s3://bucket/prefix/name``, or a local directory.
        keep: Number of versions that stay, 1 or more.
        pinned: Names of versions, or the sha256 of their ``model.json``, that stages pin.

    Returns:
        A decision for each version, the newest first.

    Raises:
        TrainingError: No version is current, one that is pinned is not there, or the store cannot
            be read.
    """
    published = list_versions(address)
    if not any(one.is_current for one in published):
        raise TrainingError(
            f"{why_none_is_current(address)} Nothing is removed before one is the current one: "
            f"python -m training rollback {shlex.quote(address)} VERSION"
        )
    for pin in pinned:
        if not any(_is_pinned(one, [pin]) for one in published):
            names = few(one.version for one in published)
            raise TrainingError(f"{address} has no version {pin!r} to pin; it has {names}.")
    written = _last_writes(open_destination(address))
    whole = [i for i, one in enumerate(published) if not one.problem]
    oldest = whole[keep - 1] if len(whole) >= keep else len(published)

    def reason(i: int, one: Published) -> str:
        if one.is_current:
            return "current"
        if _is_pinned(one, pinned):
            return "pinned"
        if not one.sha256:
            is_recent = time.time() - written.get(one.version, 0.0) < _UNDER_WAY
            return "incomplete, written to today" if is_recent else ""
        return f"newest {keep}" if i <= oldest else ""

    return [Decision(one, reason(i, one)) for i, one in enumerate(published)]


def remove_versions(address: str, versions: Sequence[Published]) -> bool:
    """Remove versions, each ``model.json`` first, so that none is served by halves.

    One that has become the current one meanwhile stays.

    Args:
        address: ``s3://bucket/prefix/name``, or a local directory.
        versions: The versions.

    Returns:
        Whether their room is free now: not where a bucket keeps old versions of its objects.

    Raises:
        TrainingError: A file cannot be removed.
    """
    destination = open_destination(address)
    is_freed = True
    with progress("Removing", len(versions)) as advance:
        for one in versions:
            if current_version(destination.read(CURRENT)) == one.version:
                say(f"{one.version} has become the current one meanwhile, and stays.")
            else:
                folder = f"{VERSIONS}{one.version}/"
                keys = destination.list_files(folder)
                for key in sorted(keys, key=lambda key: key != f"{folder}model.json"):
                    is_freed &= destination.remove(key)
            advance(one.version)
    return is_freed


def _is_pinned(version: Published, pins: Sequence[str]) -> bool:
    return version.version in pins or (version.sha256 or None) in pins


def _last_writes(destination: Destination) -> dict[str, float]:
    """Return the POSIX time of the last write to each version."""
    times: dict[str, float] = {}
    for key, stored in destination.list_files(VERSIONS).items():
        version = key.removeprefix(VERSIONS).partition("/")[0]
        times[version] = max(stored.modified, times.get(version, 0.0))
    return times
