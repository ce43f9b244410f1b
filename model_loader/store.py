"""Where published models lie: a local directory here, S3 in ``model_loader.s3``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from model_loader.errors import ModelCorruptError, ModelNotFoundError, ModelUnavailableError
from model_loader.metadata import FileInfo

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Tagged:
    """A small file's bytes, and what tells them from those of another time.

    Attributes:
        data: The bytes.
        tag: In S3 the ETag.
    """

    data: bytes
    tag: str


class Store(Protocol):
    """One published model: the folder that holds ``current.json`` and ``versions/``."""

    uri: str
    tags: dict[str, str]
    """Of each file that was read, by its key: tells its bytes from those of another time."""

    def read(self, key: str) -> bytes:
        """Return the bytes of a small file.

        Args:
            key: Its path below the model's folder, with '/' between the parts.

        Raises:
            ModelNotFoundError: It is not there, or may not be read.
            ModelUnavailableError: The store does not answer.
        """
        ...

    def is_changed(self, key: str, tag: str) -> bool:
        """Whether a file is no longer the one with this tag, is gone, or may not be read.

        Raises:
            ModelUnavailableError: The store does not answer; it need not say so.
        """
        ...

    def fetch(self, key: str, info: FileInfo) -> AbstractContextManager[Path]:
        """Yield a local file with exactly the bytes that ``info`` describes.

        It stays for as long as the block lasts; what was opened or mapped in it stays longer.

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
        path = self._folder / key
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise ModelNotFoundError(not_published(self.uri, key)) from error
        except OSError as error:
            raise ModelUnavailableError(f"{path} cannot be read: {error.strerror}.") from error
        self.tags[key] = sha256(data)
        return data

    def is_changed(self, key: str, tag: str) -> bool:
        """Whether a file is no longer the one with this sha256, or cannot be read."""
        try:
            return file_info(self._folder / key).sha256 != tag
        except OSError:
            return True

    @contextmanager
    def fetch(self, key: str, info: FileInfo) -> Iterator[Path]:
        """Yield the file itself, once its hash is checked."""
        path = self._folder / key
        try:
            found = file_info(path)
        except FileNotFoundError as error:
            raise ModelNotFoundError(not_published(self.uri, key)) from error
        except OSError as error:
            raise ModelUnavailableError(f"{path} cannot be read: {error.strerror}.") from error
        self.tags[key] = found.sha256
        check(found, info, str(path))
        yield path


def open_store(uri: str, cache: Path | None = None) -> Store:
    """Return the store for ``s3://bucket/prefix/name`` or a local directory.

    Args:
        uri: The address.
        cache: Where files of S3 are kept; None for a folder in the temporary one.

    Raises:
        ModelNotFoundError: ``uri`` is empty or not an address of this form.
    """
    if uri.startswith("s3://"):
        from model_loader.s3 import S3Store

        return S3Store.from_uri(uri, cache)
    if not uri or "://" in uri:
        raise ModelNotFoundError(
            f"The model's address (MODEL_URI, or --model) is {uri!r}; it must be "
            "s3://bucket/prefix/name or a local directory."
        )
    return LocalStore(Path(uri))


def sha256(data: bytes) -> str:
    """Return the sha256 of bytes in 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def file_info(path: Path) -> FileInfo:
    """Return what a local file is; raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return info_of(file)


def info_of(file: BinaryIO) -> FileInfo:
    """Return what the rest of an open file is."""
    digest = hashlib.sha256()
    size = 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return FileInfo(digest.hexdigest(), size)


def check(found: FileInfo, wanted: FileInfo, where: str) -> None:
    """Compare what a file is with what it must be.

    Raises:
        ModelCorruptError: They differ; ``where`` names the file in the message.
    """
    if found != wanted:
        raise ModelCorruptError(
            f"{where} is not the file that was published: it has {found.size} bytes and the "
            f"sha256 {found.sha256[:12]}…, but model.json says {wanted.size} bytes and "
            f"{wanted.sha256[:12]}…. "
            "Publish the model again."
        )


def not_published(uri: str, key: str) -> str:
    """Return the sentence for a file that is not in the store."""
    return (
        f"There is no {key} at {uri}. Publish a model there "
        "(python -m training publish RUN STORE), or correct the model's address."
    )
