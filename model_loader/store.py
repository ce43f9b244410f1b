"""Where published models lie: the interface, and local directories; ``model_loader.s3`` has S3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from model_loader.errors import (
    RESTORE,
    ModelCorruptError,
    ModelNotFoundError,
    ModelUnavailableError,
)
from model_loader.metadata import FileInfo

CURRENT = "current.json"
"""The file that names the current version."""

_CHUNK = 1 << 20


class Store(Protocol):
    """One published model: the folder that holds ``current.json`` and ``versions/``.

    A key is a file's path below that folder, with '/' between the parts.

    Attributes:
        uri: The folder's address.
        tags: For each file that was read, by its key, what tells its bytes from others: in S3 the
            ETag, else the sha256.
    """

    uri: str
    tags: dict[str, str]

    def read(self, key: str) -> bytes:
        """Return the bytes of a small file.

        Raises:
            ModelNotFoundError: It is not there, or may not be read.
            ModelUnavailableError: The store does not answer.
        """
        ...

    def is_changed(self, key: str, tag: str) -> bool:
        """Return whether a file no longer has this tag, is gone, or may not be read.

        Raises:
            ModelUnavailableError: The store does not answer; it may return True instead.
        """
        ...

    def fetch(self, key: str, info: FileInfo) -> AbstractContextManager[Path]:
        """Yield a local file with exactly the bytes that ``info`` describes.

        It stays until the block ends; what was opened or mapped in it stays longer.

        Raises:
            ModelCorruptError: The stored file has other bytes.
            ModelNotFoundError: It is not there, or may not be read.
            ModelUnavailableError: The store does not answer.
        """
        ...


class LocalStore:
    """A model in a local directory; its files are checked where they lie."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder that holds ``current.json``; nothing is read yet."""
        self.uri = str(folder)
        self.tags: dict[str, str] = {}
        self._folder = folder

    def read(self, key: str) -> bytes:
        """Return the bytes of a small file."""
        with self._reading(key) as path:
            data = path.read_bytes()
        self.tags[key] = sha256(data)
        return data

    def is_changed(self, key: str, tag: str) -> bool:
        """Return whether a file no longer has this sha256, or cannot be read."""
        try:
            return file_info(self._folder / key).sha256 != tag
        except OSError:
            return True

    @contextmanager
    def fetch(self, key: str, info: FileInfo) -> Iterator[Path]:
        """Yield the file itself, once its hash is checked."""
        with self._reading(key) as path:
            found = file_info(path)
        self.tags[key] = found.sha256
        check(found, info, str(path))
        yield path

    @contextmanager
    def _reading(self, key: str) -> Iterator[Path]:
        path = self._folder / key
        try:
            yield path
        except FileNotFoundError as error:
            raise ModelNotFoundError(not_published(self.uri, key)) from error
        except OSError as error:
            raise ModelUnavailableError(f"{path} cannot be read: {error.strerror}.") from error


def sha256(data: bytes) -> str:
    """Return the sha256 of bytes in 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def file_info(path: Path) -> FileInfo:
    """Return hash and size of a local file; raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return info_of(file)


def info_of(file: BinaryIO) -> FileInfo:
    """Return hash and size of the rest of an open file."""
    digest = hashlib.sha256()
    size = 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return FileInfo(digest.hexdigest(), size)


def check(found: FileInfo, wanted: FileInfo, where: str) -> None:
    """Compare a file with what ``model.json`` says of it.

    Raises:
        ModelCorruptError: They differ; ``where`` names the file in the message.
    """
    if found != wanted:
        raise ModelCorruptError(
            f"{where} is not the file that was published: it has {found.size} bytes and the "
            f"sha256 {found.sha256[:12]}…, but model.json says {wanted.size} bytes and "
            f"{wanted.sha256[:12]}…. {RESTORE}"
        )


def not_published(uri: str, key: str) -> str:
    """Return the message for a file that is not in the store."""
    missing = f"There is no {key} at {uri}"
    return f"{missing}: {no_model(uri)}" if key == CURRENT else f"{missing}. {RESTORE}"


def no_model(uri: str) -> str:
    """Return what may be wrong, and what to do, where no model is found at an address."""
    name = uri.rpartition("/")[2]
    return (
        f"no model of the name {name} is published there. Publish a model there (python -m "
        "training publish RUN STORE), or give the name of one that is: in MODEL_URI or --model; "
        "for a deployed stage, --param model=NAME."
    )
