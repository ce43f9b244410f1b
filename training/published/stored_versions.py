"""A model's published versions: listing, rolling back, verifying."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from model_loader import Metadata, Model, ModelNotFoundError, ModelUnavailableError
from model_loader.engine import ENGINES
from model_loader.loading import find_current, load_version, open_store
from model_loader.metadata import checked_name
from model_loader.store import CURRENT, Store, sha256
from training.errors import TrainingError
from training.output.terminal import few
from training.published.destination import Destination, Tagged, open_destination
from training.published.publication import current_version, make_current
from training.published.s3_access import waiting

if TYPE_CHECKING:
    from training.evaluation.figures import Evaluation

VERSIONS = "versions/"
"""The folder of a model's versions."""


@dataclass(frozen=True)
class Published:
    """A version in a store."""

    version: str
    is_current: bool
    size: int  # bytes of all its files
    created: str = ""  # time of the export, ISO 8601, UTC; '' where unknown
    accuracy: float | None = None  # on the test images, according to ``model.json``
    sha256: str = ""  # of ``model.json``, for ``MODEL_SHA256``; '' where there is none
    problem: str = ""  # why it cannot be served; '' where a listing shows no reason


class Verified(NamedTuple):
    """A version that was downloaded whole and has passed its self-test."""

    metadata: Metadata
    sha256: str  # of its ``model.json``
    models: dict[str, Model]  # by engine


def list_versions(address: str) -> list[Published]:
    """Return a model's versions, the newest first.

    Args:
        address: ``s3://bucket/prefix/name``, or a local directory.

    Raises:
        TrainingError: No version is published there, or the store cannot be read.
    """
    destination = open_destination(address)
    return _list(destination, destination.read(CURRENT), address)


def why_none_is_current(address: str) -> str:
    """Return what is wrong with the ``current.json`` of a model that has no current version."""
    seen = open_destination(address).read(CURRENT)
    if seen is None:
        return f"{address} has no {CURRENT}."
    named = current_version(seen)
    if named is None:
        return f"{address}/{CURRENT} is damaged: it names no version."
    return f"{address}/{CURRENT} names {named}, which is not there."


def roll_back(address: str, version: str | None = None) -> tuple[str | None, str]:
    """Make another published version the current one.

    Args:
        address: ``s3://bucket/prefix/name``, or a local directory.
        version: An older or newer version; None for the one exported before the current one.

    Returns:
        The version that was current, and the one that is.

    Raises:
        TrainingError: There is no such version, it cannot be served, the store cannot be written,
            or somebody else changed the current version at the same time.
    """
    destination = open_destination(address)
    seen = destination.read(CURRENT)
    published = _list(destination, seen, address)
    chosen = _before(published, address) if version is None else _named(published, version, address)
    if chosen.problem:
        raise TrainingError(
            f"Version {chosen.version} of {address} cannot be served: {chosen.problem}. Name "
            f"another one: python -m training versions {shlex.quote(address)}"
        )
    if not make_current(destination, chosen.version, seen):
        raise TrainingError(
            f"Meanwhile somebody else published to {address} or rolled it back; nothing was "
            f"changed. Look again: python -m training versions {shlex.quote(address)}"
        )
    return current_version(seen), chosen.version


@contextmanager
def verified(address: str, version: str | None = None) -> Iterator[Verified]:
    """Download a version, check each file's hash, and load it with every engine it has a file for.

    Loading runs the self-test. The files go when the block ends, and with them the models.

    Args:
        address: ``s3://bucket/prefix/name``, or a local directory.
        version: The version; None for the current one.

    Raises:
        TrainingError: There is no such version.
        ModelUnavailableError: Whatever keeps it from being served.
    """
    with tempfile.TemporaryDirectory() as cache:  # a cache of earlier downloads proves nothing
        store = open_store(address, Path(cache))
        with waiting(address):
            folder = find_current(store) if version is None else _folder(version)
            text = _read_metadata(store, folder, address, version)
            metadata = Metadata.from_json(text)
            for file, info in metadata.files.items():
                with store.fetch(f"{folder}{file}", info):
                    pass
        runnable = [engine for engine, (file, _) in ENGINES.items() if file in metadata.files]
        models = {engine: load_version(store, folder, engine) for engine in runnable}
        yield Verified(metadata, sha256(text), models)


def promised_accuracy(metadata: Metadata) -> float | None:
    """Return the accuracy on the test images as ``model.json`` has it; None where it has none."""
    test = metadata.metrics.get("test")
    accuracy = test.get("accuracy") if isinstance(test, dict) else None
    return float(accuracy) if isinstance(accuracy, int | float) else None


def is_worse(measured: Evaluation, metadata: Metadata) -> bool:
    """Whether an accuracy lies below the one in ``model.json`` by more than chance explains.

    That is where their 95 % intervals do not meet; one that is not known has no width.
    """
    accuracy = promised_accuracy(metadata)
    if accuracy is None:
        return False
    interval = metadata.metrics["test"].get("interval")
    low = interval.get("low", accuracy) if isinstance(interval, dict) else accuracy
    return measured.interval.high < float(low)


def _list(destination: Destination, current: Tagged | None, address: str) -> list[Published]:
    folders: dict[str, dict[str, int]] = {}
    for key, stored in destination.list_files(VERSIONS).items():
        version, _, file = key.removeprefix(VERSIONS).partition("/")
        if file:  # some tools make an empty object for a folder
            folders.setdefault(version, {})[file] = stored.size
    if not folders:
        raise TrainingError(
            f"No version is published at {address}. Give STORE/NAME, as publish printed it."
        )
    named = current_version(current)
    published = [
        _describe(destination, version, sizes, version == named)
        for version, sizes in folders.items()
    ]
    return sorted(published, key=lambda one: (one.created, one.version), reverse=True)


def _describe(
    destination: Destination, version: str, sizes: dict[str, int], is_current: bool
) -> Published:
    found = Published(version, is_current, sum(sizes.values()))
    document = destination.read(f"{VERSIONS}{version}/model.json")
    if document is None:
        return replace(found, problem="its publication was interrupted; publish it again")
    found = replace(found, sha256=sha256(document.data))
    try:
        metadata = Metadata.from_json(document.data)
    except ModelUnavailableError as error:
        return replace(found, problem=str(error).rstrip("."))
    wrong = [file for file, info in metadata.files.items() if sizes.get(file) != info.size]
    return replace(
        found,
        created=metadata.created,
        accuracy=promised_accuracy(metadata),
        problem=f"{', '.join(wrong)} missing or changed; publish it again" if wrong else "",
    )


def _read_metadata(store: Store, folder: str, address: str, version: str | None) -> bytes:
    try:
        return store.read(f"{folder}model.json")
    except ModelNotFoundError:
        if version is not None:
            _named(list_versions(address), version, address)
        raise


def _before(published: list[Published], address: str) -> Published:
    """Return the version that stands behind the current one, newest first, and can be served."""
    current = next((i for i, one in enumerate(published) if one.is_current), None)
    if current is None:
        raise TrainingError(
            f"{address} has no current version to go back from. Name one: "
            f"python -m training versions {shlex.quote(address)}"
        )
    for one in published[current + 1 :]:
        if not one.problem:
            return one
    newer = [one.version for one in published[:current] if not one.problem]
    others = f" Newer ones can: {few(newer)}. Name one." if newer else ""
    raise TrainingError(
        f"There is none to go back to: no version of {address} that is older than "
        f"{published[current].version} can be served.{others}"
    )


def _named(published: list[Published], version: str, address: str) -> Published:
    for one in published:
        if one.version == version:
            return one
    raise TrainingError(
        f"{address} has no version {version}; it has {few(one.version for one in published)}."
    )


def _folder(version: str) -> str:
    try:
        return f"{VERSIONS}{checked_name(version, 'version')}/"
    except ValueError as error:
        raise TrainingError(f"{error}.") from error
