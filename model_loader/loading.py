"""From an address to a loaded model: open → find → load → self-test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_loader.engine import DEFAULT_ENGINE, ENGINES, import_ahead
from model_loader.errors import (
    RESTORE,
    ModelCorruptError,
    ModelIncompatibleError,
    ModelMismatchError,
    ModelNotFoundError,
)
from model_loader.metadata import Metadata, checked_name, read_object
from model_loader.model import Model, softmax
from model_loader.store import CURRENT, LocalStore, Store, sha256

SELF_TEST_TOLERANCE = 2e-3
"""Largest difference of a probability in the self-test: engines and processors round differently;
another image or other weights differ by far more."""

INT8_TOLERANCE = 2e-2
"""The same for int8 files: where two processors' last digits fall on two sides of a step of 1/255
of a layer's range, everything after it differs a little."""


def load_model(uri: str, engine: str | None = None, threads: int | None = None) -> Model:
    """Load the current version of a published model, or a given version.

    Args:
        uri: ``s3://bucket/prefix/name`` or a local directory that holds ``current.json``; or, with
            ``/versions/<version>`` behind it, a single version's. A local directory may also be
            a version's, a run's, or a store that holds one model.
        engine: ``torchscript`` or ``onnx``; None for ``torchscript``.
        threads: Number of threads that compute; None to leave it to the engine.

    Returns:
        The model, after it has reproduced its self-test.

    Raises:
        ModelNotFoundError: Nothing is published there, or reading it is not allowed.
        ModelCorruptError: A file is not the one that was published, or the self-test fails.
        ModelIncompatibleError: The version has no file for the engine, or the engine is unknown.
        ModelUnavailableError: The store does not answer.
    """
    import_ahead(engine)
    store = open_store(uri)
    return load_version(store, find_current(store), engine, threads)


def open_store(uri: str, cache: Path | None = None) -> Store:
    """Return the store for ``s3://bucket/prefix/name`` or a local directory.

    Args:
        uri: The address.
        cache: Where files of S3 are kept; None for a folder in the temporary one.

    Raises:
        ModelNotFoundError: ``uri`` is empty, not an address of this form, or a store of several
            models.
        ModelUnavailableError: The AWS settings of the environment do not fit.
    """
    if uri.startswith("s3://"):
        from model_loader.s3 import S3Store

        return S3Store(uri, cache)
    if not uri or "://" in uri:
        raise ModelNotFoundError(
            f"The model's address (MODEL_URI, or --model) is {uri!r}; it must be "
            "s3://bucket/prefix/name or a local directory."
        )
    return LocalStore(_find_model(Path(uri)))


def _find_model(folder: Path) -> Path:
    """Return the local folder of a model or a version: a run's own, or the only one of a store."""
    if (folder / CURRENT).is_file() or (folder / "model.json").is_file():
        return folder
    if (folder / "model" / "model.json").is_file():
        return folder / "model"
    models = sorted(path.parent for path in folder.glob(f"*/{CURRENT}"))
    if len(models) > 1:
        names = ", ".join(path.name for path in models)
        raise ModelNotFoundError(
            f"{folder} is a store of several models: {names}. Give the address of one, such as "
            f"{models[0]}."
        )
    return models[0] if models else folder


def find_current(store: Store) -> str:
    """Return the key prefix of the version to load: ``versions/<version>/``.

    It is '' where the address is a single version's: where ``model.json`` lies at it and, in S3,
    ``current.json`` does not, for a store may be called ``versions``, too.

    Raises:
        ModelCorruptError: ``current.json`` is damaged.
        ModelUnavailableError: It cannot be read.
    """
    if isinstance(store, LocalStore) and (Path(store.uri) / "model.json").is_file():
        return ""
    try:
        current = read_object(store.read(CURRENT), CURRENT)
        return f"versions/{checked_name(current.get('version'), 'version')}/"
    except ModelNotFoundError:
        if store.uri.split("/")[-2:-1] == ["versions"]:
            return ""
        raise
    except ValueError as error:
        raise ModelCorruptError(f"{CURRENT}: {error}. {RESTORE}") from error


def load_version(
    store: Store,
    folder: str,
    engine: str | None = None,
    threads: int | None = None,
    pinned: str | None = None,
) -> Model:
    """Load one version of a store.

    Args:
        store: The model's store.
        folder: The key prefix of the version's files; see ``find_current``.
        engine: As for ``load_model``.
        threads: As for ``load_model``.
        pinned: The sha256 that ``model.json``, and through it every other file, must have; None
            for any.

    Raises:
        ModelMismatchError: ``model.json`` has another sha256.
        ModelUnavailableError: As for ``load_model``.
    """
    engine = engine or DEFAULT_ENGINE
    if engine not in ENGINES:
        raise ModelIncompatibleError(
            f"The engine (MODEL_ENGINE) is {engine!r}; it must be {' or '.join(ENGINES)}."
        )
    text = store.read(f"{folder}model.json")
    _check_pin(text, pinned, f"{store.uri}/{folder}model.json")
    metadata = Metadata.from_json(text)
    file, load = ENGINES[engine]
    if file not in metadata.files:
        raise ModelIncompatibleError(
            f"Version {metadata.version} of {metadata.name} has no {file}, which the engine "
            f"{engine} runs; it has {', '.join(metadata.files) or 'no file'}. "
            "Choose the other engine (MODEL_ENGINE), or export the model again."
        )
    with store.fetch(f"{folder}{file}", metadata.files[file]) as path:
        model = Model(metadata, engine, load(path, threads))
    _run_self_test(model, file)
    return model


def _check_pin(text: bytes, pinned: str | None, where: str) -> None:
    found = sha256(text)
    if pinned and found != pinned:
        raise ModelMismatchError(
            f"{where} has the sha256 {found[:12]}…, but MODEL_SHA256 pins {pinned[:12]}…. Make the "
            "pinned version the current one again (python -m training rollback), or deploy with "
            "the --param sha256=… that publish printed."
        )


def _run_self_test(model: Model, file: str) -> None:
    metadata, self_test = model.metadata, model.metadata.self_test
    who = f"Version {metadata.version} of {metadata.name} ({model.engine})"
    try:
        logits = model.network(model.prepare(self_test.image)[None])
    except Exception as error:
        # An engine's exceptions share no base class; any of them means that it cannot run.
        raise ModelCorruptError(
            f"{who} cannot run its self-test: {error}. Export the model again."
        ) from error
    if logits.shape != (1, len(metadata.labels)):
        raise ModelCorruptError(
            f"{who} has {len(metadata.labels)} labels, but its network gives an output of shape "
            f"{logits.shape}. Export the model again."
        )
    wanted = self_test.int8.get(file, self_test.probabilities)
    tolerance = INT8_TOLERANCE if file in self_test.int8 else SELF_TEST_TOLERANCE
    difference = float(np.abs(softmax(logits, metadata.temperature)[0] - wanted).max())
    if not difference <= tolerance:  # also where it is not a number
        raise ModelCorruptError(
            f"{who} fails its self-test: a probability is off by {difference:.3g}, at most "
            f"{tolerance:g} is taken. Export the model again."
        )
