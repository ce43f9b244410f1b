"""Objects of the service's own bucket: read with a limit, written where nobody else was faster.

This imports botocore only once a bucket is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_loader import MAX_UPLOAD_BYTES, TooLargeError
from model_loader.boto import make_client

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef, PutObjectRequestTypeDef

_LOST = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")
"""How S3 says that a conditional write lost; a conflict is with another one at the same time, and
the key that is not there any more was to be replaced."""


class StorageError(Exception):
    """S3 does not do what it is asked; asking again may help, or the sentence says what would."""


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

    def __init__(self, name: str) -> None:
        """Make the client; nothing is read yet.

        Raises:
            ModelUnavailableError: The AWS settings of the environment do not fit.
        """
        self.name = name
        self._client = make_client()

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
        from botocore.exceptions import BotoCoreError, ClientError

        request: PutObjectRequestTypeDef = {"Bucket": self.name, "Key": key, "Body": data}
        request["ContentType"] = "application/json"
        if replaces is None:
            request["IfNoneMatch"] = "*"
        else:
            request["IfMatch"] = f'"{replaces}"'
        try:
            self._client.put_object(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] in _LOST:
                return False
            raise StorageError(f"{self._uri(key)} cannot be written: {_reason(error)}.") from error
        except BotoCoreError as error:
            raise StorageError(f"{self._uri(key)} cannot be written: {_reason(error)}.") from error
        return True

    def _get(self, key: str, unless: str | None) -> StoredObject | None:
        from botocore.exceptions import BotoCoreError, ClientError

        request: GetObjectRequestTypeDef = {"Bucket": self.name, "Key": key}
        if unless is not None:
            request["IfNoneMatch"] = f'"{unless}"'
        try:
            found = self._client.get_object(**request)
            if found["ContentLength"] > MAX_UPLOAD_BYTES:
                found["Body"].close()
                raise TooLargeError(
                    f"The object has {found['ContentLength'] / 1e6:.1f} MB; at most "
                    f"{MAX_UPLOAD_BYTES / 1e6:.0f} MB are taken. Scale the image down."
                )
            data = found["Body"].read()
            return StoredObject(data, found["ETag"].strip('"'), found.get("VersionId"))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "304":
                return None
            if code == "NoSuchKey":
                raise GoneError(f"{self._uri(key)} is not there.") from error
            if code == "AccessDenied":
                raise RefusedError(f"Reading {self._uri(key)} is not allowed.") from error
            raise StorageError(f"{self._uri(key)} cannot be read: {_reason(error)}.") from error
        except BotoCoreError as error:
            raise StorageError(f"{self._uri(key)} cannot be read: {_reason(error)}.") from error

    def _lists(self, key: str) -> bool:
        """Return whether a listing has the key.

        Raises:
            StorageError: It cannot be listed.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = self._client.list_objects_v2(Bucket=self.name, Prefix=key, MaxKeys=1)
        except (BotoCoreError, ClientError) as error:
            raise StorageError(f"{self._uri(key)} cannot be listed: {_reason(error)}.") from error
        return any(entry["Key"] == key for entry in found.get("Contents", []))

    def _uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"


def _reason(error: Exception) -> str:
    return str(error).rstrip(".")
