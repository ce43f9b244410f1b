"""Objects of the service's own bucket: read with a limit, written where nobody else was faster.

This imports botocore only once a bucket is used. Whatever its client raises is a ``StorageError``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_loader import MAX_UPLOAD_BYTES, ClassifierError, StorageError, TooLargeError
from model_loader.boto import make_client

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef, PutObjectRequestTypeDef

_LOST = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")
"""How S3 says that a conditional write lost; a conflict is with another one at the same time, and
the key that is not there any more was to be replaced."""

_REFUSED = ("AccessDenied", "403", "404")
"""How S3 says that it will not say; the numbers come without S3's own document."""


class GoneError(StorageError):
    """There is no such object."""


class RefusedError(StorageError):
    """There is no such object, or the function's role may not read it: S3 does not say which."""


@dataclass(frozen=True)
class StoredObject:
    """An object as it was read.

    Attributes:
        data: Its bytes.
        etag: What changes with its bytes, without quotation marks.
        version: Its version's id; None where the bucket keeps no versions.
    """

    data: bytes
    etag: str
    version: str | None


class Bucket:
    """A bucket, and what the function's role lets it do there."""

    def __init__(self, name: str, **settings: Any) -> None:
        """Make the client; nothing is read yet.

        Args:
            name: The bucket's name.
            settings: More of botocore's ``Config``.

        Raises:
            StorageError: The AWS settings of the environment do not fit.
        """
        self.name = name
        self._client = make_client(**settings)

    def sign_form(self, key: str, media_type: str, seconds: int) -> dict[str, Any]:
        """Return the address and the fields of a form that uploads one file, for so long.

        S3 itself refuses another key, another media type, and fewer than 1 or more than
        ``MAX_UPLOAD_BYTES``.

        Raises:
            StorageError: It cannot be signed.
        """
        from botocore.exceptions import NoCredentialsError

        with self._asking(key, "signed"):
            try:
                return self._client.generate_presigned_post(
                    self.name,
                    key,
                    Fields={"Content-Type": media_type},
                    Conditions=[
                        {"Content-Type": media_type},
                        ["content-length-range", 1, MAX_UPLOAD_BYTES],
                    ],
                    ExpiresIn=seconds,
                )
            except AttributeError as error:  # what botocore makes of credentials that are not there
                raise NoCredentialsError from error

    def read(self, key: str, unless: str | None = None) -> StoredObject | None:
        """Return an image, or None where its ETag is still this one.

        Raises:
            TooLargeError: It has more than ``MAX_UPLOAD_BYTES``; they are not read.
            GoneError: It is not there.
            StorageError: It cannot be read.
        """
        try:
            return self._get(key, unless)
        except RefusedError as error:
            if self._lists(key):
                raise
            raise GoneError(str(error)) from error

    def find(self, key: str) -> StoredObject | None:
        """Return what was written earlier, or None where there seems to be nothing.

        Where S3 will not say whether there is something (a role that may not list), there seems to
        be nothing. To ask it would cost more than the write, which fails where there is.

        Raises:
            StorageError: S3 does not answer.
        """
        try:
            return self._get(key, None)
        except (GoneError, RefusedError):
            return None

    def write(self, key: str, data: bytes, replaces: str | None) -> bool:
        """Write some JSON, unless somebody else was faster.

        Args:
            key: The object's key.
            data: Its bytes.
            replaces: The ETag of the object that it takes the place of; None to take no object's.

        Returns:
            Whether it was written: not where another object, or none, is in that place.

        Raises:
            StorageError: It cannot be written.
        """
        request: PutObjectRequestTypeDef = {"Bucket": self.name, "Key": key, "Body": data}
        request["ContentType"] = "application/json"
        if replaces is None:
            request["IfNoneMatch"] = "*"
        else:
            request["IfMatch"] = f'"{replaces}"'
        try:
            with self._asking(key, "written"):
                return bool(self._client.put_object(**request)["ETag"])
        except StorageError as error:
            if _code(error) in _LOST:
                return False
            raise

    def _get(self, key: str, unless: str | None) -> StoredObject | None:
        request: GetObjectRequestTypeDef = {"Bucket": self.name, "Key": key}
        if unless is not None:
            request["IfNoneMatch"] = f'"{unless}"'
        try:
            with self._asking(key, "read"):
                found = self._client.get_object(**request)
                if found["ContentLength"] > MAX_UPLOAD_BYTES:
                    found["Body"].close()
                    raise TooLargeError(
                        f"The object has {found['ContentLength'] / 1e6:.1f} MB; at most "
                        f"{MAX_UPLOAD_BYTES / 1e6:.0f} MB are taken. Scale the image down."
                    )
                data = found["Body"].read()
                return StoredObject(data, found["ETag"].strip('"'), found.get("VersionId"))
        except StorageError as error:
            code = _code(error)
            if code == "304":
                return None
            if code == "NoSuchKey":
                raise GoneError(f"{self._uri(key)} is not there.") from error
            if code in _REFUSED:
                raise RefusedError(f"Reading {self._uri(key)} is not allowed.") from error
            raise

    def _lists(self, key: str) -> bool:
        """Return whether a listing has the key.

        Raises:
            StorageError: It cannot be listed.
        """
        with self._asking(key, "listed"):
            found = self._client.list_objects_v2(Bucket=self.name, Prefix=key, MaxKeys=1)
            found["IsTruncated"]  # not in what is no listing
            return any(entry["Key"] == key for entry in found.get("Contents", []))

    @contextmanager
    def _asking(self, key: str, done: str) -> Iterator[None]:
        """Raise whatever S3's client raises as a ``StorageError`` that names the object.

        botocore's exceptions have no common base, and some come from below it: urllib3's where an
        error's body stalls, a RecursionError of redirections, a KeyError of a proxy's page.
        """
        try:
            yield
        except ClassifierError:
            raise
        except Exception as error:
            raise StorageError(f"{self._uri(key)} cannot be {done}: {_reason(error)}.") from error

    def _uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"


def _code(error: StorageError) -> str:
    """Return S3's own name of an error; '' where it gave none."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the answer has no {error.args[0]}, so it is not S3's"
    if isinstance(error, RecursionError):
        return "the address redirects in a circle"
    return str(error).rstrip(".") or type(error).__name__
