"""A published model in S3.

boto3 is imported when the first store is made, so that a service with a local model never pays
for it. Credentials, region and endpoint come from the AWS SDK's own environment variables
(``AWS_ENDPOINT_URL`` reaches a local S3).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from model_loader.errors import ModelNotFoundError, ModelUnavailableError
from model_loader.metadata import FileInfo
from model_loader.store import Tagged, check, file_info, not_published

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

_CHUNK = 1 << 20
_CONNECT_SECONDS = 2
_READ_SECONDS = 8
_ATTEMPTS = 2
"""Together under the 29 s after which API Gateway gives up."""


class S3Store:
    """A model below a prefix of a bucket; its files are kept in a cache folder by their hash."""

    def __init__(self, bucket: str, prefix: str, cache: Path | None = None) -> None:
        """Make the client; nothing is read yet.

        Args:
            bucket: The bucket's name.
            prefix: The model's folder in it, without a '/' at its ends.
            cache: Where files are kept; None for ``model_loader`` in the temporary folder.
        """
        self.uri = f"s3://{bucket}/{prefix}"
        self._bucket = bucket
        self._prefix = prefix
        self._cache = cache or Path(tempfile.gettempdir()) / "model_loader"
        self._client = make_client()

    @classmethod
    def from_uri(cls, uri: str, cache: Path | None = None) -> S3Store:
        """Return the store for ``s3://bucket/prefix/name``; see ``S3Store`` for the cache.

        Raises:
            ModelNotFoundError: ``uri`` names no bucket or no prefix.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        if not bucket or not prefix:
            raise ModelNotFoundError(
                f"The model's address (MODEL_URI, or --model) is {uri!r}; it must be "
                "s3://bucket/prefix/name."
            )
        return cls(bucket, prefix, cache)

    def read(self, key: str) -> bytes:
        """Return the bytes of a small object."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._client.get_object(Bucket=self._bucket, Key=self._key(key))["Body"].read()
        except (BotoCoreError, ClientError) as error:
            self._fail(key, error)

    def read_changed(self, key: str, tag: str | None) -> Tagged | None:
        """Return a small object, or None where S3 says that it still has this ETag."""
        from botocore.exceptions import BotoCoreError, ClientError

        request: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": self._key(key)}
        if tag is not None:
            request["IfNoneMatch"] = tag
        try:
            found = self._client.get_object(**request)
            return Tagged(found["Body"].read(), found["ETag"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "304":
                return None
            self._fail(key, error)
        except BotoCoreError as error:
            self._fail(key, error)

    def fetch(self, key: str, info: FileInfo) -> Path:
        """Download an object once; later calls find it in the cache by its hash.

        A half-written or damaged file never takes the final name: the bytes go to a temporary
        name, are checked against ``info`` and renamed.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        path = self._cache / f"{info.sha256}{Path(key).suffix}"
        try:
            if path.is_file() and file_info(path) == info:
                return path
            self._cache.mkdir(parents=True, exist_ok=True)
            self._make_room(info.size)
            self._download(key, info, path)
        except (BotoCoreError, ClientError) as error:
            self._fail(key, error)
        except OSError as error:
            raise ModelUnavailableError(
                f"{self.uri}/{key} cannot be kept in {self._cache}: {error.strerror}. "
                f"It needs {info.size / 1e6:.0f} MB of writable space."
            ) from error
        return path

    def _make_room(self, size: int) -> None:
        """Remove the oldest files while there is no room: a swap of versions leaves one behind."""
        for path in sorted(self._cache.iterdir(), key=lambda path: path.stat().st_mtime):
            if shutil.disk_usage(self._cache).free >= size:
                return
            path.unlink(missing_ok=True)

    def _download(self, key: str, info: FileInfo, path: Path) -> None:
        body = self._client.get_object(Bucket=self._bucket, Key=self._key(key))["Body"]
        digest = hashlib.sha256()
        size = 0
        handle, temporary = tempfile.mkstemp(dir=self._cache, prefix=".partial-")
        try:
            with os.fdopen(handle, "wb") as file:
                for chunk in body.iter_chunks(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
            check(FileInfo(digest.hexdigest(), size), info, f"{self.uri}/{key}")
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}"

    def _fail(self, key: str, error: Exception) -> NoReturn:
        from botocore.exceptions import ClientError

        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        if code in ("NoSuchKey", "404"):
            raise ModelNotFoundError(not_published(self.uri, key)) from error
        if code == "NoSuchBucket":
            raise ModelNotFoundError(
                f"The bucket of {self.uri} does not exist. Correct the model's address, or create "
                "the bucket."
            ) from error
        if code in ("AccessDenied", "403"):
            raise ModelNotFoundError(
                f"Reading {self.uri}/{key} is not allowed, or there is no such object. Publish a "
                "model there, and give the function's role s3:GetObject on that prefix."
            ) from error
        raise ModelUnavailableError(
            f"{self.uri}/{key} cannot be read: {str(error).rstrip('.')}. "
            "Check the network, AWS_ENDPOINT_URL and the credentials."
        ) from error


def make_client(**settings: Any) -> S3Client:
    """Return a client that gives up before the gateway does.

    Args:
        settings: More of botocore's ``Config``.

    Raises:
        ModelUnavailableError: The environment's AWS settings make no sense.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        **settings,
    )
    try:
        return boto3.client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise ModelUnavailableError(
            f"The AWS settings of the environment do not fit: {str(error).rstrip('.')}. Correct "
            "AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL or the credentials."
        ) from error
