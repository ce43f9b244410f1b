"""Publishing a version to a store: its files first, ``current.json`` last."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from model_loader import (
    Metadata,
    ModelCorruptError,
    ModelIncompatibleError,
    ModelUnavailableError,
    load_model,
)
from model_loader.engine import ENGINES
from model_loader.errors import RESTORE
from model_loader.loading import find_current, open_store
from model_loader.store import CURRENT, check, file_info, sha256
from training.errors import TrainingError
from training.output.progress import progress, say
from training.published.destination import Destination, Tagged, open_destination
from training.run import Run, is_run


def publish(version: Path, store: str) -> str:
    """Copy a version into a store and make it the current one.

    Files that are there are compared; those that are missing, as after an interruption, or damaged
    are written. Before ``model.json``, the last of them, is there, nobody takes the version for
    one. A whole version is never overwritten.

    Args:
        version: The version's folder; see ``version_folder``.
        store: ``s3://bucket/prefix`` or a local directory; the model goes into
            ``<store>/<name>``.

    Returns:
        The model's address, for ``MODEL_URI``.

    Raises:
        TrainingError: The folder is not a whole version, the store cannot be written, it holds
            another whole version of this name, or another one became the current one meanwhile.
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
            f"python -m training rollback {shlex.quote(address)} {metadata.version}"
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


def version_folder(folder: Path) -> Path:
    """Return the folder of a run's exported version, or of a published model's current one.

    A version's own folder is returned as it is.

    Raises:
        TrainingError: It is the folder of none of them.
    """
    try:
        store = open_store(str(folder))
        return Path(store.uri) / find_current(store)
    except ModelUnavailableError as error:
        if is_run(folder):
            raise TrainingError(
                f"{folder} has no exported version: {Run(folder).export_again}"
            ) from error
        raise TrainingError(
            f"{folder} is not the folder of a run, of a published model or of a version. {error}"
        ) from error


def read_version(folder: Path) -> Metadata:
    """Read a version's folder and check that its files are whole, and that it can be served.

    Raises:
        TrainingError: A file is missing or changed, or an engine cannot load it.
    """
    try:
        metadata = Metadata.from_json((folder / "model.json").read_bytes())
        for file, info in metadata.files.items():
            check(file_info(folder / file), info, str(folder / file))
        for engine, (file, _) in ENGINES.items():
            if file in metadata.files:
                load_model(str(folder), engine)
    except OSError as error:
        raise TrainingError(
            f"{folder} cannot be published: {error.filename} cannot be read ({error.strerror}). "
            f"{RESTORE}"
        ) from error
    except ModelUnavailableError as error:
        raise TrainingError(f"{folder} cannot be published. {error}") from error
    return metadata


def _copy(version: Path, metadata: Metadata, destination: Destination, address: str) -> None:
    """Write the files that are missing or damaged, ``model.json`` last."""
    base = f"versions/{metadata.version}"
    published = destination.read(f"{base}/model.json")
    is_same = published is not None and published.data == (version / "model.json").read_bytes()
    if published is not None and not is_same and _is_whole(published.data, destination, base):
        raise _differs(f"{address}/{base}")
    with progress("Publishing", len(metadata.files) + 1) as advance:
        for file in (*metadata.files, "model.json"):
            key, data = f"{base}/{file}", (version / file).read_bytes()
            # model.json as it was when this was decided: another's may be there by now.
            found = published if file == "model.json" else destination.read(key)
            if found is None or found.data != data:
                if not destination.put(key, data, None if found is None else found.tag):
                    found = destination.read(key)  # somebody else was faster
                    if found is None or found.data != data:
                        raise _differs(f"{address}/{key}")
                elif found is not None:
                    say(f"Restored {file}, which was damaged.")
            advance(file)


def _is_whole(document: bytes, destination: Destination, base: str) -> bool:
    """Return whether the files of a published version are those that its ``model.json`` names."""
    try:
        files = Metadata.from_json(document).files
    except ModelCorruptError:
        return False
    except ModelIncompatibleError:  # of another release of this code
        return True
    found = ((info, destination.read(f"{base}/{file}")) for file, info in files.items())
    return all(stored is not None and sha256(stored.data) == info.sha256 for info, stored in found)


def _differs(where: str) -> TrainingError:
    return TrainingError(
        f"{where} exists already and differs. A whole version is never overwritten: export again, "
        "which makes a new one."
    )
