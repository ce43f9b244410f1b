"""A loaded version of a model, and how one is loaded: fetch → verify → load → self-test."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model_loader.engine import DEFAULT_ENGINE, ENGINES, Network, import_ahead
from model_loader.errors import (
    ModelCorruptError,
    ModelIncompatibleError,
    ModelMismatchError,
    ModelNotFoundError,
)
from model_loader.image import EncodedImage
from model_loader.metadata import Metadata, checked_name, read_object
from model_loader.operations import scale_for
from model_loader.prediction import UNKNOWN, Prediction, Timings
from model_loader.store import LocalStore, Store, open_store, sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

CURRENT = "current.json"
"""The file that names the version to be served."""

SELF_TEST_TOLERANCE = 2e-3
"""Largest difference of a probability in the self-test: engines and processors round differently,
another picture or other weights differ by far more."""

INT8_TOLERANCE = 2e-2
"""The same of eight-bit numbers: where two processors' last digits fall on two sides of a step of
1/255 of a layer's range, all that follows differs a little."""


@dataclass(frozen=True)
class Model:
    """One version, ready to answer; safe to share between threads.

    Attributes:
        metadata: What the version says of itself.
        engine: The name of the engine that runs it.
        network: From images, float32 [B, 3, H, W], to logits, float32 [B, classes].
    """

    metadata: Metadata
    engine: str
    network: Network

    def prepare(self, data: bytes) -> NDArray[np.float32]:
        """Decode one image file and apply the test transform.

        Returns:
            The network's input for this picture: float32 [3, H, W], normalised.

        Raises:
            InputError: The bytes cannot be decoded; see ``EncodedImage``.
        """
        return self.metadata.transform(self.metadata.transform.decode(data))

    def probabilities(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Run the network on prepared pictures of equal size.

        Args:
            images: float32 [B, 3, H, W], normalised.

        Returns:
            float64 [B, classes]; each row sums to 1.
        """
        return softmax(self.network(images), self.metadata.temperature)

    def predict(self, probabilities: NDArray[np.float64]) -> Prediction:
        """Name the class of one row of ``probabilities``."""
        best = int(probabilities.argmax())
        confidence = float(probabilities[best])
        known = confidence >= self.metadata.threshold
        labels = self.metadata.labels
        return Prediction(
            label=labels[best] if known else UNKNOWN,
            confidence=confidence,
            scores=dict(zip(labels, probabilities.tolist(), strict=True)),
        )

    def classify(
        self, image: bytes | EncodedImage, clock: Callable[[], float] = time.perf_counter
    ) -> Prediction:
        """Answer one image file.

        Args:
            image: A whole file, or one whose header has been read.
            clock: What the timings of the answer are read from, in seconds.

        Raises:
            InputError: The bytes cannot be decoded; see ``EncodedImage``.
        """
        begin = clock()
        encoded = image if isinstance(image, EncodedImage) else EncodedImage.read(image)
        transform = self.metadata.transform
        picture = encoded.decode(scale_for(transform.image_ops, encoded))
        decoded = clock()
        prepared = transform(picture)
        transformed = clock()
        probabilities = self.probabilities(prepared[None])[0]
        end = clock()
        return replace(
            self.predict(probabilities),
            pixels=math.prod(encoded.size),
            timings=Timings(
                1000 * (decoded - begin), 1000 * (transformed - decoded), 1000 * (end - transformed)
            ),
        )


def softmax(
    logits: NDArray[np.float32] | NDArray[np.float64], temperature: float
) -> NDArray[np.float64]:
    """Return the probabilities that a network's outputs [B, classes] stand for."""
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result


def load_model(uri: str, engine: str | None = None, threads: int | None = None) -> Model:
    """Load the current version of a published model, or a certain one.

    Args:
        uri: ``s3://bucket/prefix/name``, or a local directory: a published model's (it holds
            ``current.json``) or, with ``/versions/<version>`` behind it, a single version's. A
            local directory that holds ``model.json`` is a version's, too.
        engine: ``torchscript`` or ``onnx``; None for ``torchscript``.
        threads: That compute; None to leave it to the engine.

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


def find_current(store: Store) -> str:
    """Return which version is to be served.

    An address is a single version's where ``model.json`` lies at it and, in S3, ``current.json``
    does not: a store may be called ``versions``, too.

    Returns:
        The key prefix of its files: ``versions/<version>/``, or '' where the address is that of a
        single version.

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
        raise ModelCorruptError(f"{CURRENT}: {error}. Publish the model again.") from error


def load_version(
    store: Store,
    folder: str,
    engine: str | None = None,
    threads: int | None = None,
    pinned: str | None = None,
) -> Model:
    """Load one version of a store; see ``load_model``.

    Args:
        store: Of the model.
        folder: The key prefix of the version's files.
        engine: ``torchscript`` or ``onnx``; None for ``torchscript``.
        threads: That compute; None to leave it to the engine.
        pinned: The sha256 that ``model.json`` must have, and through it every other file; None
            takes any.

    Raises:
        ModelMismatchError: ``model.json`` is another one.
        ModelUnavailableError: And its other kinds, as from ``load_model``.
    """
    engine = engine or DEFAULT_ENGINE
    if engine not in ENGINES:
        raise ModelIncompatibleError(
            f"The engine (MODEL_ENGINE, or --engine) is {engine!r}; it must be "
            f"{' or '.join(ENGINES)}."
        )
    text = store.read(f"{folder}model.json")
    _check_pin(text, pinned, f"{store.uri}/{folder}model.json")
    metadata = Metadata.from_json(text)
    file, load = ENGINES[engine]
    if file not in metadata.files:
        raise ModelIncompatibleError(
            f"Version {metadata.version} of {metadata.name} has no {file}, which the engine "
            f"{engine} runs; it has {', '.join(metadata.files) or 'no file'}. "
            "Choose the other engine (MODEL_ENGINE, or --engine), or export the model again."
        )
    with store.fetch(f"{folder}{file}", metadata.files[file]) as path:
        network = load(path, threads)
    model = Model(metadata, engine, network)
    _run_self_test(model)
    return model


def _check_pin(text: bytes, pinned: str | None, where: str) -> None:
    found = sha256(text)
    if pinned and found != pinned:
        raise ModelMismatchError(
            f"{where} has the sha256 {found[:12]}…, but MODEL_SHA256 pins {pinned[:12]}…. Make the "
            "pinned version the current one again (python -m training rollback), or deploy with "
            "the --param sha256=… that publish printed."
        )


def _run_self_test(model: Model) -> None:
    metadata = model.metadata
    who = f"Version {metadata.version} of {metadata.name} ({model.engine})"
    try:
        logits = model.network(model.prepare(metadata.self_test.image)[None])
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
    file = ENGINES[model.engine][0]
    wanted = metadata.self_test.int8.get(file, metadata.self_test.probabilities)
    tolerance = INT8_TOLERANCE if file in metadata.self_test.int8 else SELF_TEST_TOLERANCE
    answer = softmax(logits, metadata.temperature)[0]
    difference = float(np.abs(answer - wanted).max())
    if not difference <= tolerance:  # also where it is not a number
        raise ModelCorruptError(
            f"{who} fails its self-test: a probability is off by {difference:.3g}, at most "
            f"{tolerance:g} is taken. Export the model again."
        )
