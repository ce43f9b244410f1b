"""Local directories and S3 prefixes that versions are published to, with conditional writes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from model_loader.store import file_info, sha256
from training.errors import TrainingError
from training.files.atomic import replacing
from training.output.progress import say
from training.published.s3_access import NotS3Error, make_client, reaching

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

_Answer = TypeVar("_Answer", bound=Mapping[str, Any])

_SMALL = 1 << 20
_LOST = (409, 412)
"""HTTP statuses of a conditional write that lost a race; 409: two at the same time."""
_UNSAFE = (
    "The store of the bucket {} does not check the conditions of a write (If-None-Match): where "
    "two people publish at once, one may overwrite the other. Publish from one place at a time."
)


@dataclass(frozen=True)
class Tagged:
    """A small file's bytes, and a tag that only these bytes have: in S3 the ETag."""

    data: bytes
    tag: str


@dataclass(frozen=True)
class StoredFile:
    """A file's entry in a listing."""

    size: int  # bytes
    modified: float  # POSIX time, s


class Destination(Protocol):
    """A folder of a store that can be written to."""

    def read(self, key: str) -> Tagged | None:
        """Return a file, or None where there is none."""
        ...

    def put(self, key: str, data: bytes, replaces: str | None) -> bool:
        """Write a file, whole or not at all, unless somebody else was faster.

        Args:
            key: The file's path below the folder.
            data: Its bytes.
            replaces: The tag of the file that it takes the place of; None to take no file's.

        Returns:
            Whether it was written: not where another file, or none, is in that place.
        """
        ...

    def list_files(self, prefix: str) -> dict[str, StoredFile]:
        """Return the files below a prefix, by their keys."""
        ...

    def remove(self, key: str) -> bool:
        """Remove a file; it is no error where there is none any more.

        Returns:
            Whether its room is free now: not where a bucket keeps old versions of its objects.
        """
        ...


def open_destination(store: str, name: str = "") -> Destination:
    """Return a folder of ``s3://bucket/prefix`` or of a local directory, or the store itself.

    Raises:
        TrainingError: It is not an address of this form, or the AWS settings do not fit.
    """
    if store.startswith("s3://"):
        bucket, _, prefix = store.removeprefix("s3://").partition("/")
        if not bucket:
            raise TrainingError(f"The store {store!r} names no bucket; write s3://bucket/prefix.")
        return S3Destination(bucket, f"{prefix.strip('/')}/{name}".strip("/"))
    if not store or "://" in store:
        raise TrainingError(f"The store {store!r} must be s3://bucket/prefix or a directory.")
    return LocalDestination(Path(store) / name)


class LocalDestination:
    """A local directory."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder; it is made when the first file is written."""
        self._folder = folder

    def read(self, key: str) -> Tagged | None:
        """Return a file, or None where there is none."""
        try:
            data = (self._folder / key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        return Tagged(data, sha256(data))

    def put(self, key: str, data: bytes, replaces: str | None) -> bool:
        """Write a file under a temporary name, then rename it; see ``Destination``."""
        path = self._folder / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path.parent):
                if replaces != (file_info(path).sha256 if path.is_file() else None):
                    return False
                with replacing(path) as temporary:
                    temporary.write_bytes(data)
                return True
        except OSError as error:
            raise TrainingError(f"{path} cannot be written: {error.strerror}.") from error

    def list_files(self, prefix: str) -> dict[str, StoredFile]:
        """Return the files below a prefix, by their keys."""
        files = {}
        for folder, _, names in os.walk(self._folder / prefix):
            for path in (Path(folder, name) for name in names):
                with suppress(FileNotFoundError):  # removed meanwhile
                    found = path.stat()
                    key = path.relative_to(self._folder).as_posix()
                    files[key] = StoredFile(found.st_size, found.st_mtime)
        return files

    def remove(self, key: str) -> bool:
        """Remove a file, and its folder with the last of its files."""
        path = self._folder / key
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise TrainingError(f"{path} cannot be removed: {error.strerror}.") from error
        with suppress(OSError):  # not empty, or gone
            path.parent.rmdir()
        return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process, or thread, write into a folder at a time, where the system has locks."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # no locks here, as on some network shares
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class S3Destination:
    """A prefix of an S3 bucket; the AWS SDK's environment variables say how to reach it."""

    def __init__(self, bucket: str, prefix: str) -> None:
        """Make the client; nothing is written yet."""
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = make_client()
        self._is_proven = False

    def read(self, key: str) -> Tagged | None:
        """Return an object, or None where there is none."""
        with self._reaching(key):
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            except self._client.exceptions.NoSuchKey:
                return None
            with closing(found["Body"]) as body:
                return Tagged(body.read(), _from_s3(found, "ETag")["ETag"])

    def put(self, key: str, data: bytes, replaces: str | None) -> bool:
        """Write an object on a condition that S3 checks as it writes; see ``Destination``."""
        request: PutObjectRequestTypeDef
        request = {"Bucket": self._bucket, "Key": self._prefix + key, "Body": data}
        if replaces is None:
            request["IfNoneMatch"] = "*"
        else:
            request["IfMatch"] = replaces
        with self._reaching(key):
            is_written = self._write(request)
            if is_written and replaces is None and len(data) < _SMALL and not self._is_proven:
                self._is_proven = True
                if self._write(request):  # the same bytes, which must be refused now
                    say(_UNSAFE.format(self._bucket))
        return is_written

    def list_files(self, prefix: str) -> dict[str, StoredFile]:
        """Return the objects below a prefix, by their keys."""
        pages = self._client.get_paginator("list_objects_v2")
        start = len(self._prefix)
        with self._reaching(prefix):
            return {
                entry["Key"][start:]: StoredFile(entry["Size"], entry["LastModified"].timestamp())
                for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
                for entry in _from_s3(page, "IsTruncated").get("Contents", [])
            }

    def remove(self, key: str) -> bool:
        """Remove an object; see ``Destination``."""
        with self._reaching(key):
            answer = self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)
        return not answer.get("DeleteMarker")

    def _write(self, request: PutObjectRequestTypeDef) -> bool:
        """Write an object; return False where the condition for it does not hold."""
        from botocore.exceptions import ClientError

        try:
            _from_s3(self._client.put_object(**request), "ETag")
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status in _LOST or error.response["Error"]["Code"] == "NoSuchKey":
                return False
            raise
        return True

    def _reaching(self, key: str) -> AbstractContextManager[None]:
        return reaching(f"s3://{self._bucket}/{self._prefix}{key}")


def _from_s3(answer: _Answer, part: str) -> _Answer:
    """Return an answer that has what each of this kind has; a page of a proxy has not."""
    if part not in answer:
        raise NotS3Error
    return answer
