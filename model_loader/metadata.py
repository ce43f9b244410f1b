"""``model.json``, the description of a version."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_loader.errors import RESTORE, ModelCorruptError, ModelIncompatibleError
from model_loader.transform import Transform

SCHEMA = 1
"""The layout of ``model.json`` that this code reads and writes."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileInfo:
    """Hash and size of a file.

    Attributes:
        sha256: Hash of its bytes, 64 lower-case hexadecimal digits.
        size: Size in bytes.
    """

    sha256: str
    size: int


@dataclass(frozen=True)
class SelfTest:
    """An image, and the answer that the version must give.

    Attributes:
        image: A whole image file, small.
        probabilities: One for each label, in index order.
        int8: The probabilities of each int8 file, by its name; its answers differ a little.
    """

    image: bytes
    probabilities: tuple[float, ...]
    int8: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Metadata:
    """The description of one version of a model.

    Attributes:
        name: The model's name, as in its store.
        version: Unique among the model's versions, and the name of the version's folder.
        labels: The class names, in the order of the network's outputs.
        transform: From an image to the network's input.
        files: Hash and size of each file of the version, by its name.
        self_test: An answer that a loaded version must reproduce before it is used.
        temperature: Divides the network's outputs before the softmax.
        threshold: The confidence below which the label is "unknown"; 0 rejects nothing.
        created: Time of the export, ISO 8601, UTC.
        metrics: As measured by ``evaluate`` on the exported file.
        recipe: The resolved recipe of the run.
        data: Fingerprint and counts of the data that it was trained on.
        revision: Commit of the code that trained it; None outside a repository.
        libraries: Versions of the libraries that trained and exported it.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    transform: Transform
    files: Mapping[str, FileInfo]
    self_test: SelfTest
    temperature: float = 1.0
    threshold: float = 0.0
    created: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    revision: str | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Return everything but the self-test, as a client may see it."""
        return {
            "name": self.name,
            "version": self.version,
            "created": self.created,
            "labels": list(self.labels),
            "transform": self.transform.to_json(),
            "temperature": self.temperature,
            "threshold": self.threshold,
            "metrics": dict(self.metrics),
            "recipe": dict(self.recipe),
            "data": dict(self.data),
            "revision": self.revision,
            "libraries": dict(self.libraries),
            "files": {
                name: {"sha256": info.sha256, "size": info.size}
                for name, info in self.files.items()
            },
            "precision": {name: self.precision(name) for name in self.files},
        }

    def precision(self, file: str) -> str:
        """Return the dtype of a network file: ``float32`` or ``int8``."""
        return "int8" if file in self.self_test.int8 else "float32"

    def to_json(self) -> bytes:
        """Return the text of ``model.json``, which ``from_json`` takes."""
        document = {
            "schema": SCHEMA,
            **self.describe(),
            "self_test": {
                "image": base64.b64encode(self.self_test.image).decode(),
                "probabilities": list(self.self_test.probabilities),
                "int8": {name: list(row) for name, row in self.self_test.int8.items()},
            },
        }
        return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes) -> Metadata:
        """Read the text of a ``model.json``.

        Raises:
            ModelCorruptError: It is not JSON, lacks a value, or a value is not as it must be.
            ModelIncompatibleError: It is of another schema, or its transform is not known here.
        """
        document = read_object(text, "model.json")
        if document.get("schema") != SCHEMA:
            raise ModelIncompatibleError(
                f"model.json is of schema {document.get('schema')!r}, this code reads {SCHEMA}. "
                "Deploy the handler that belongs to it, or export the model again."
            )
        try:
            return _from_document(document)
        except (
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            OverflowError,
            binascii.Error,
        ) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise ModelCorruptError(f"model.json: {reason}. {RESTORE}") from error


def read_object(text: bytes, name: str) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        ModelCorruptError: The text is not a JSON object; the message calls it ``name``.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelCorruptError(f"{name} is not JSON ({error}). {RESTORE}") from error
    if not isinstance(document, dict):
        raise ModelCorruptError(f"{name} must hold a JSON object. {RESTORE}")
    return document


def checked_name(value: object, what: str) -> str:
    """Return a model's or version's name that can stand in a path or an S3 key.

    Raises:
        ValueError: It holds anything but letters, digits, '.', '_' and '-', or is too long.
    """
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(
            f"{what} {value!r} must be 1 to 128 letters, digits, '.', '_' or '-', "
            "and begin with a letter or digit"
        )
    return value


def checked_labels(values: object) -> tuple[str, ...]:
    """Return class names in index order.

    Raises:
        ValueError: They are fewer than two, not text, empty or not unique.
    """
    if not isinstance(values, list | tuple) or len(values) < 2:
        raise ValueError("labels must be a list of at least two class names")
    if not all(isinstance(value, str) and value for value in values):
        raise ValueError("every label must be a text that is not empty")
    if len(set(values)) != len(values):
        raise ValueError("labels must differ from each other")
    return tuple(values)


def _from_document(document: Mapping[str, Any]) -> Metadata:
    labels = checked_labels(document["labels"])
    temperature = float(document["temperature"])
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature {temperature} must be a number above zero")
    threshold = float(document["threshold"])
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold {threshold} must lie between 0 and 1")
    return Metadata(
        name=checked_name(document["name"], "name"),
        version=checked_name(document["version"], "version"),
        labels=labels,
        transform=Transform.from_json(document["transform"]),
        files={str(name): _file_info(name, info) for name, info in document["files"].items()},
        self_test=_self_test(document["self_test"], len(labels)),
        temperature=temperature,
        threshold=threshold,
        created=str(document.get("created", "")),
        metrics=dict(document.get("metrics", {})),
        recipe=dict(document.get("recipe", {})),
        data=dict(document.get("data", {})),
        revision=document.get("revision"),
        libraries=dict(document.get("libraries", {})),
    )


def _file_info(name: str, info: Mapping[str, Any]) -> FileInfo:
    sha256, size = str(info["sha256"]), int(info["size"])
    if not _SHA256.fullmatch(sha256) or size < 0:
        raise ValueError(f"files: {name} must have a sha256 of 64 digits and a size in bytes")
    return FileInfo(sha256, size)


def _self_test(document: Mapping[str, Any], classes: int) -> SelfTest:
    return SelfTest(
        base64.b64decode(document["image"], validate=True),
        _probabilities(document["probabilities"], classes),
        # Versions from before int8 existed do not have it.
        {name: _probabilities(row, classes) for name, row in document.get("int8", {}).items()},
    )


def _probabilities(values: Sequence[Any], classes: int) -> tuple[float, ...]:
    if len(values) != classes:
        raise ValueError(
            f"self_test has {len(values)} probabilities, but there are {classes} labels"
        )
    return tuple(float(value) for value in values)
