"""A published model in S3, read through obstore.

Not through boto3, whose import every cold start would wait for. Region, endpoint and credentials
come from the AWS SDK's own environment variables (``AWS_ENDPOINT_URL`` reaches a local S3,
``AWS_CA_BUNDLE`` names a certificate to trust). Where the environment holds no keys (profiles,
instance roles), boto3 finds them.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn
from urllib.parse import urlsplit

from model_loader.cache import begin, find, keep, make_room, own_folder
from model_loader.errors import ModelNotFoundError, ModelUnavailableError
from model_loader.metadata import FileInfo
from model_loader.store import check, no_model, not_published

if TYPE_CHECKING:
    from obstore import Bytes, GetResult
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import ClientConfig, RetryConfig
    from obstore.store import S3Store as Client

_CHUNK = 1 << 20
_CLIENT: ClientConfig = {
    "connect_timeout": "2s",
    "read_timeout": "8s",
    "timeout": "1h",  # for a whole download; the two above notice one that has stopped
    "pool_max_idle_per_host": "1",  # one that went stale while Lambda froze costs one more attempt
}
_RETRY: RetryConfig = {"max_retries": 1}
# For each object; an S3 that answers at all is far from the 29 s that API Gateway waits.


class S3Store:
    """A model below a prefix of a bucket; its files are kept in a cache folder by their hash."""

    def __init__(self, uri: str, cache: Path | None = None) -> None:
        """Make the client; nothing is read yet.

        Args:
            uri: ``s3://bucket/prefix/name``.
            cache: Where files are kept; None for a folder of this user's in the temporary one.

        Raises:
            ModelNotFoundError: ``uri`` names no bucket or no prefix.
            ModelUnavailableError: The AWS settings of the environment do not fit.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        if not bucket or not prefix or "//" in prefix:
            raise ModelNotFoundError(
                f"The model's address (MODEL_URI, or --model) is {uri!r}; it must be "
                "s3://bucket/prefix/name."
            )
        self.uri = f"s3://{bucket}/{prefix}"
        self.tags: dict[str, str] = {}
        self._cache = cache
        self._client = _connect(bucket, prefix)

    def read(self, key: str) -> bytes:
        """Return the bytes of a small object."""
        try:
            return self._get(key).bytes().to_bytes()
        except Exception as error:
            self._fail(key, error)

    def is_changed(self, key: str, tag: str) -> bool:
        """Return whether an object no longer has this ETag; True where S3 does not say."""
        try:
            return self._client.head(key)["e_tag"] != tag
        except Exception:  # an answer to HEAD gives no reason; reading the object does
            return True

    @contextmanager
    def fetch(self, key: str, info: FileInfo) -> Iterator[Path]:
        """Download an object once; later calls find it in the cache by its hash.

        A half-written or damaged file never takes the final name: the bytes go to a temporary
        name, are checked against ``info`` and renamed. A lock keeps other processes, which may
        want the room, from deleting it before it is loaded.
        """
        name = f"{info.sha256}{Path(key).suffix}"
        try:
            cache = self._cache or own_folder()
            file = find(cache / name, info) or self._download(key, info, cache / name)
        except OSError as error:
            raise ModelUnavailableError(
                f"{self.uri}/{key} cannot be kept in {error.filename or tempfile.gettempdir()}: "
                f"{error.strerror}. It needs {info.size / 1e6:.0f} MB of writable space; TMPDIR "
                "names another folder."
            ) from error
        with file:
            yield cache / name

    def _download(self, key: str, info: FileInfo, path: Path) -> BinaryIO:
        make_room(path.parent, info.size)
        file, temporary = begin(path.parent)
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in self._chunks(key):
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
            file.flush()
            check(FileInfo(digest.hexdigest(), size), info, f"{self.uri}/{key}")
            return keep(file, temporary, path, info)
        except BaseException:
            file.close()
            temporary.unlink(missing_ok=True)
            raise

    def _chunks(self, key: str) -> Iterator[Bytes]:
        try:
            yield from self._get(key).stream(min_chunk_size=_CHUNK)
        except Exception as error:
            self._fail(key, error)

    def _get(self, key: str) -> GetResult:
        found = self._client.get(key)
        tag = found.meta["e_tag"]
        if not tag:
            raise self._not_s3(key)
        self.tags[key] = tag
        return found

    def _not_s3(self, key: str) -> ModelUnavailableError:
        from model_loader.s3_answers import NOT_S3

        return ModelUnavailableError(f"{self.uri}/{key} cannot be read: {NOT_S3}.")

    def _fail(self, key: str, error: Exception) -> NoReturn:
        """Raise ours for any error: those of obstore and of boto3's credentials share no base."""
        from obstore.exceptions import PermissionDeniedError

        code = _code(error)
        if "<html" in str(error).lower():
            raise self._not_s3(key) from error
        if code == "NoSuchBucket":
            raise ModelNotFoundError(
                f"The bucket of {self.uri} does not exist. Correct the model's address, or create "
                "the bucket."
            ) from error
        if isinstance(error, FileNotFoundError):
            raise ModelNotFoundError(not_published(self.uri, key)) from error
        if isinstance(error, PermissionDeniedError) and code in ("", "AccessDenied"):
            raise ModelNotFoundError(
                f"Reading {self.uri}/{key} is not allowed, or there is no such object: the role "
                f"needs s3:GetObject on that prefix, or {no_model(self.uri)}"
            ) from error
        raise ModelUnavailableError(
            f"{self.uri}/{key} cannot be read: {_meaning(code, _reason(error))}."
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
        keys = None if "AWS_ACCESS_KEY_ID" in os.environ else _boto3_credentials()
        return Client(
            bucket,
            prefix=prefix,
            client_options=options,
            retry_config=_RETRY,
            credential_provider=keys,
        )
    except Exception as error:
        # obstore's errors and botocore's share no class; each says which setting it is about.
        from model_loader.s3_answers import SETTINGS

        raise ModelUnavailableError(SETTINGS.format(_reason(error))) from error


def _boto3_credentials() -> Boto3CredentialProvider:
    from obstore.auth.boto3 import Boto3CredentialProvider

    return Boto3CredentialProvider()


def _code(error: Exception) -> str:
    """Return S3's code of an error; '' where it gave none."""
    found = re.search("<Code>(.+?)</Code>", str(error))
    return found[1] if found else ""


def _reason(error: Exception) -> str:
    """Return obstore's message without the address, which our message has, and its internals."""
    text = str(error).split("\n\nDebug source")[0]
    found = re.search("<Message>(.+?)</Message>", text, re.DOTALL)
    return (found[1] if found else text.rpartition(" - ")[2]).strip().rstrip(".")


def _meaning(code: str, reason: str) -> str:
    """Return what an error means and what to do about it, without a full stop."""
    from model_loader.s3_answers import MEANINGS, REDIRECTS, SILENCE

    if code:
        known = MEANINGS.get(code)
        return known or f"{reason} ({code}). Check the address and the credentials"
    if "without LOCATION" in reason:  # as where the bucket is in another region
        return MEANINGS["PermanentRedirect"]
    if "redirect" in reason:
        return REDIRECTS
    if "Content-Range" in reason:  # it asks for the rest of an answer that broke off
        return SILENCE
    return f"{reason}. Check the network, AWS_ENDPOINT_URL and the credentials"
