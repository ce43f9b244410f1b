"""S3 objects: size-limited reads, conditional writes and signed upload forms.

boto3 is imported with the first ``Bucket``; whatever its client raises becomes a ``StorageError``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_loader import MAX_UPLOAD_BYTES, ClassifierError, TooLargeError
from service.errors import GoneError, RefusedError, StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef, PutObjectRequestTypeDef

# One request may take the product of these, well under the 29 s of the gateway timeout.
_CONNECT_SECONDS = 2
_READ_SECONDS = 8
_ATTEMPTS = 2

# Error codes S3 returns when a conditional write loses a race; NoSuchKey: the object that was to be
# replaced has been deleted.
_LOST = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")

# Codes of an object that does not exist or may not be read; the numbers come without a document.
_REFUSED = ("AccessDenied", "403", "404")


@dataclass(frozen=True)
class StoredObject:
    """An object as it was read.

    Attributes:
        data: Its content.
        etag: Its ETag, without quotation marks.
        version: Id of the version; None where the bucket keeps no versions.
    """

    data: bytes
    etag: str
    version: str | None


class Bucket:
    """A bucket, with the requests that the function's role allows."""

    def __init__(self, name: str, **settings: Any) -> None:
        """Make the client, without a request to S3.

        Args:
            name: Name of the bucket.
            settings: Further arguments of botocore's ``Config``.

        Raises:
            StorageError: The AWS settings of the environment do not fit.
        """
        self.name = name
        self._client = _make_client(settings)

    def sign_form(self, key: str, media_type: str, seconds: int) -> dict[str, Any]:
        """Return the URL and the fields of a form that uploads one file.

        S3 itself refuses another key or media type, and fewer than 1 or more than
        ``MAX_UPLOAD_BYTES``.

        Args:
            key: Key of the object.
            media_type: Content type of the object.
            seconds: Lifetime of the form.

        Raises:
            StorageError: The form cannot be signed.
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
            except AttributeError as error:  # how botocore fails without credentials
                raise NoCredentialsError from error

    def read(self, key: str, unless: str | None = None) -> StoredObject | None:
        """Return an object, or None where its ETag is still ``unless``.

        Raises:
            TooLargeError: The object has more than ``MAX_UPLOAD_BYTES``; they are not read.
            GoneError: The object does not exist.
            StorageError: The object cannot be read.
        """
        try:
            return self._get(key, unless)
        except RefusedError as error:
            if self._lists(key):
                raise
            raise GoneError(str(error)) from error

    def find(self, key: str) -> StoredObject | None:
        """Return an object, or None where there seems to be none.

        A role that may not list gets the same error for an object that does not exist and for one
        that may not be read. Listing would cost more than the conditional write, which fails then.

        Raises:
            StorageError: The object cannot be read.
        """
        try:
            return self._get(key, None)
        except (GoneError, RefusedError):
            return None

    def write(self, key: str, data: bytes, replaces: str | None) -> bool:
        """Write JSON conditionally.

        Args:
            key: Key of the object.
            data: Content of the object.
            replaces: ETag of the object to replace; None to write only where there is none.

        Returns:
            Whether it was written; False where the condition did not hold.

        Raises:
            StorageError: The object cannot be written.
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
            StorageError: The bucket cannot be listed.
        """
        with self._asking(key, "listed"):
            found = self._client.list_objects_v2(Bucket=self.name, Prefix=key, MaxKeys=1)
            found["IsTruncated"]  # raises KeyError for an answer that is not a listing
            return any(entry["Key"] == key for entry in found.get("Contents", []))

    @contextmanager
    def _asking(self, key: str, done: str) -> Iterator[None]:
        """Turn whatever the client raises into a ``StorageError`` that names the object.

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


def _make_client(settings: dict[str, Any]) -> S3Client:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        **settings,
    )
    try:
        return boto3.client("s3", config=config)
    except Exception as error:  # botocore's exceptions and those of its libraries share no base
        from model_loader.s3_answers import SETTINGS

        raise StorageError(SETTINGS.format(str(error).rstrip("."))) from error


def _code(error: StorageError) -> str:
    """Return the S3 error code; '' where there is none."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the answer has no {error.args[0]}, so it is not S3's"
    if isinstance(error, RecursionError):
        return "the address redirects in a circle"
    return str(error).rstrip(".") or type(error).__name__
