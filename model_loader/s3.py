"""A published model in S3, read through obstore.

obstore (Rust's object_store) is imported when the first store is made, in 3 ms; boto3 takes 240
until its first request is under way, and every cold start would wait for it. Region, endpoint and
credentials come from the AWS SDK's own environment variables (``AWS_ENDPOINT_URL`` reaches a local
S3, ``AWS_CA_BUNDLE`` names a certificate to trust). Where the environment holds no keys (profiles,
instance roles), boto3 finds them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from model_loader.errors import ModelNotFoundError, ModelUnavailableError
from model_loader.metadata import FileInfo
from model_loader.store import Tagged, check, file_info, not_published

if TYPE_CHECKING:
    from obstore import Bytes
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import ClientConfig, RetryConfig
    from obstore.store import S3Store as Client

_CHUNK = 1 << 20
_CLIENT: ClientConfig = {
    "connect_timeout": "2s",
    "read_timeout": "8s",
    "timeout": "1h",  # of a whole download; the two above notice that nothing moves any more
    "pool_max_idle_per_host": "1",  # one that went stale while Lambda froze costs one more attempt
}
_RETRY: RetryConfig = {"max_retries": 1}
"""Of each object; an S3 that answers at all is far from the 29 s that API Gateway waits."""


class S3Store:
    """A model below a prefix of a bucket; its files are kept in a cache folder by their hash."""

    def __init__(self, bucket: str, prefix: str, cache: Path | None = None) -> None:
        """Make the client; nothing is read yet.

        Args:
            bucket: The bucket's name.
            prefix: The model's folder in it, without a '/' at its ends.
            cache: Where files are kept; None for ``model_loader`` in the temporary folder.

        Raises:
            ModelUnavailableError: The AWS settings of the environment do not fit.
        """
        self.uri = f"s3://{bucket}/{prefix}"
        self._cache = cache or Path(tempfile.gettempdir()) / "model_loader"
        self._client = _connect(bucket, prefix)

    @classmethod
    def from_uri(cls, uri: str, cache: Path | None = None) -> S3Store:
        """Return the store for ``s3://bucket/prefix/name``; see ``S3Store`` for the cache.

        Raises:
            ModelNotFoundError: ``uri`` names no bucket or no prefix.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        if not bucket or not prefix or "//" in prefix:
            raise ModelNotFoundError(
                f"The model's address (MODEL_URI, or --model) is {uri!r}; it must be "
                "s3://bucket/prefix/name."
            )
        return cls(bucket, prefix, cache)

    def read(self, key: str) -> bytes:
        """Return the bytes of a small object."""
        try:
            return self._client.get(key).bytes().to_bytes()
        except Exception as error:
            self._fail(key, error)

    def read_changed(self, key: str, tag: str | None) -> Tagged | None:
        """Return a small object, or None where S3 says that it still has this ETag."""
        from obstore.exceptions import NotModifiedError

        try:
            found = self._client.get(key, options={"if_none_match": tag} if tag else None)
            return Tagged(found.bytes().to_bytes(), found.meta["e_tag"] or "")
        except NotModifiedError:
            return None
        except Exception as error:
            self._fail(key, error)

    def fetch(self, key: str, info: FileInfo) -> Path:
        """Download an object once; later calls find it in the cache by its hash.

        A half-written or damaged file never takes the final name: the bytes go to a temporary
        name, are checked against ``info`` and renamed.
        """
        path = self._cache / f"{info.sha256}{Path(key).suffix}"
        try:
            if path.is_file() and file_info(path) == info:
                return path
            self._cache.mkdir(parents=True, exist_ok=True)
            self._make_room(info.size)
            self._download(key, info, path)
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
        chunks = self._chunks(key)
        digest = hashlib.sha256()
        size = 0
        handle, temporary = tempfile.mkstemp(dir=self._cache, prefix=".partial-")
        try:
            with os.fdopen(handle, "wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
            check(FileInfo(digest.hexdigest(), size), info, f"{self.uri}/{key}")
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)

    def _chunks(self, key: str) -> Iterator[Bytes]:
        try:
            yield from self._client.get(key).stream(min_chunk_size=_CHUNK)
        except Exception as error:
            self._fail(key, error)

    def _fail(self, key: str, error: Exception) -> NoReturn:
        """Say what went wrong, whatever it is: obstore and boto3's credentials share no base."""
        from obstore.exceptions import PermissionDeniedError

        code = _code(error)
        if code == "NoSuchBucket":
            raise ModelNotFoundError(
                f"The bucket of {self.uri} does not exist. Correct the model's address, or create "
                "the bucket."
            ) from error
        if isinstance(error, FileNotFoundError):
            raise ModelNotFoundError(not_published(self.uri, key)) from error
        if isinstance(error, PermissionDeniedError) and code in ("", "AccessDenied"):
            raise ModelNotFoundError(
                f"Reading {self.uri}/{key} is not allowed, or there is no such object. Publish a "
                "model there, and give the function's role s3:GetObject on that prefix."
            ) from error
        raise ModelUnavailableError(
            f"{self.uri}/{key} cannot be read: {_reason(error)}. "
            "Check the network, AWS_ENDPOINT_URL and the credentials."
        ) from error


def _connect(bucket: str, prefix: str) -> Client:
    from obstore.store import S3Store as Client

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    options: ClientConfig = {**_CLIENT, "allow_http": (endpoint or "").startswith("http://")}
    try:
        if endpoint and not (urlsplit(endpoint).scheme and urlsplit(endpoint).netloc):
            raise ValueError(f"{endpoint!r} is no address")
        if bundle := os.environ.get("AWS_CA_BUNDLE"):
            options["root_certificate"] = Path(bundle).read_bytes()
        keys = None if "AWS_ACCESS_KEY_ID" in os.environ else _keys_that_boto3_finds()
        return Client(
            bucket,
            prefix=prefix,
            client_options=options,
            retry_config=_RETRY,
            credential_provider=keys,
        )
    except Exception as error:
        # obstore's errors and botocore's share no class; each says which setting it is about.
        raise ModelUnavailableError(
            f"The AWS settings of the environment do not fit: {_reason(error)}. Correct "
            "AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL or the credentials."
        ) from error


def _keys_that_boto3_finds() -> Boto3CredentialProvider:
    from obstore.auth.boto3 import Boto3CredentialProvider

    return Boto3CredentialProvider()


def _code(error: Exception) -> str:
    """Return S3's own name of an error; '' where it gave none."""
    found = re.search("<Code>(.+?)</Code>", str(error))
    return found[1] if found else ""


def _reason(error: Exception) -> str:
    """Return what obstore says, without the address, which the sentence has, and the internals."""
    text = str(error).split("\n\nDebug source")[0]
    found = re.search("<Message>(.+?)</Message>", text, re.DOTALL)
    return (found[1] if found else text.rpartition(" - ")[2]).strip().rstrip(".")
