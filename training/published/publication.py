"""Publishing a version to a store: its files first, ``current.json`` last."""

from __future__ import annotations

import json
from pathlib import Path

from model_loader import Metadata, ModelUnavailableError, load_model
from model_loader.engine import ENGINES
from model_loader.store import Tagged, check, file_info
from training.errors import TrainingError
from training.output.progress import progress
from training.published.destination import Destination, open_destination

CURRENT = "current.json"


def publish(version: Path, store: str) -> str:
    """Copy a version into a store and make it the current one.

    What an interrupted publication left is taken up: files that are there are compared, those
    that are not are written, and before ``model.json``, the last of them, is there, nobody takes
    the version for one.

    Args:
        version: The version's folder, as ``export`` wrote it.
        store: ``s3://bucket/prefix`` or a local directory; the model goes into
            ``<store>/<name>``.

    Returns:
        The model's address, for ``MODEL_URI``.

    Raises:
        TrainingError: The folder is not a whole version, the store cannot be written, it holds
            another version of this name, or another one became the current one meanwhile.
    """
    metadata = read_version(version)
    address = f"{store.rstrip('/')}/{metadata.name}"
    destination = open_destination(store, metadata.name)
    seen = destination.read(CURRENT)
    _copy(version, metadata, destination, address)
    if not make_current(destination, metadata.version, seen):
        raise TrainingError(
            f"Version {metadata.version} is published, but is not the current one: meanwhile "
            f"somebody else published to {address} or rolled it back. To serve this version: "
            f"python -m training rollback {address} {metadata.version}"
        )
    return address


def make_current(destination: Destination, version: str, seen: Tagged | None) -> bool:
    """Point a model's ``current.json`` to a version.

    Args:
        destination: The model's folder.
        version: The version; its files are there.
        seen: ``current.json`` as it was when this was decided.

    Returns:
        Whether it is the current one: not where somebody else has changed it since.
    """
    if current_version(seen) == version:
        return True
    text = json.dumps({"version": version}).encode()
    if destination.put(CURRENT, text, None if seen is None else seen.tag):
        return True
    return current_version(destination.read(CURRENT)) == version


def current_version(current: Tagged | None) -> str | None:
    """Return the version that a ``current.json`` names; None where it names none."""
    try:
        document = json.loads(current.data) if current is not None else None
    except ValueError:
        return None
    version = document.get("version") if isinstance(document, dict) else None
    return version if isinstance(version, str) else None


def read_version(folder: Path) -> Metadata:
    """Read a version's folder and check that its files are whole, and that it can be served.

    Raises:
        TrainingError: The folder is not that of a version, or a file is missing or changed.
    """
    path = folder / "model.json"
    try:
        metadata = Metadata.from_json(path.read_bytes())
        for file, info in metadata.files.items():
            check(file_info(folder / file), info, str(folder / file))
        for engine, (file, _) in ENGINES.items():
            if file in metadata.files:
                load_model(str(folder), engine)
    except OSError as error:
        raise TrainingError(
            f"{folder} is not the folder of a run or of a model version: {error.filename} cannot "
            f"be read ({error.strerror}). Of a published model, give versions/VERSION in it."
        ) from error
    except ModelUnavailableError as error:
        raise TrainingError(f"{folder} cannot be published. {error}") from error
    return metadata


def _copy(version: Path, metadata: Metadata, destination: Destination, address: str) -> None:
    """Write the files that are not there yet, ``model.json`` last; never over another one."""
    base = f"versions/{metadata.version}"
    published = destination.read(f"{base}/model.json")
    if published is not None and published.data != (version / "model.json").read_bytes():
        raise _differs(f"{address}/{base}/model.json")
    with progress("Publishing", len(metadata.files) + 1) as advance:
        for file in (*metadata.files, "model.json"):
            key, data = f"{base}/{file}", (version / file).read_bytes()
            found = destination.read(key)
            if found is None and not destination.put(key, data, None):
                found = destination.read(key)  # somebody else was faster
            if found is not None and found.data != data:
                raise _differs(f"{address}/{key}")
            advance(file)


def _differs(where: str) -> TrainingError:
    return TrainingError(
        f"{where} exists already and differs. Nothing is written over: if it was damaged, delete "
        "it and publish again; otherwise export again, which makes a new version."
    )
