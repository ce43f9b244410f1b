"""Uploads: images too large for a request, which S3 takes and keeps for a day.

boto3 is imported when the first upload is asked about, so that whoever sends small images never
pays for it.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from model_loader import (
    MAX_REQUEST_BYTES,
    MAX_UPLOAD_BYTES,
    TooLargeError,
    UploadNotFoundError,
    UploadsUnavailableError,
)
from model_loader.boto import make_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SECONDS = 300
"""How long a form may be sent."""

_MOST = f"{MAX_UPLOAD_BYTES / 1e6:.0f} MB"
_TOKEN_BYTES = 24
_TOKEN = "[A-Za-z0-9_-]{32}"  # what token_urlsafe makes of so many


class Incoming:
    """The folder of a bucket to which clients send images: by a signed form, and in no other way.

    Requests choose neither the bucket nor the folder, and nothing else of it is ever read.
    """

    def __init__(self, uri: str) -> None:
        """Remember where; nothing is asked yet.

        Args:
            uri: ``s3://bucket/folder``; empty for a service that takes no uploads.
        """
        self._uri = uri
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls) -> Incoming:
        """Return the folder that ``INCOMING_URI`` names."""
        return cls(os.environ.get("INCOMING_URI", ""))

    @property
    def advice(self) -> str:
        """What someone can do whose image is too large for a request."""
        if self._uri:
            return f"POST /uploads says where to send a file of up to {_MOST}."
        return "Scale the image down, or save it as JPEG."

    def begin(self, media_type: str) -> dict[str, Any]:
        """Return a form that S3 takes once it has a file, and the key that the file will have.

        S3 itself refuses another key, another media type, fewer than 1 or more than
        ``MAX_UPLOAD_BYTES``, and what comes later than ``SECONDS`` from now.

        Raises:
            UploadNotFoundError: This service takes no uploads.
            UploadsUnavailableError: The form cannot be signed.
        """
        from botocore.exceptions import BotoCoreError, NoCredentialsError

        bucket, folder = self._place
        key = f"{folder}/{secrets.token_urlsafe(_TOKEN_BYTES)}"
        try:
            form = self._client.generate_presigned_post(
                bucket,
                key,
                Fields={"Content-Type": media_type},
                Conditions=[
                    {"Content-Type": media_type},
                    ["content-length-range", 1, MAX_UPLOAD_BYTES],
                ],
                ExpiresIn=SECONDS,
            )
        except BotoCoreError as error:
            self._fail(error)
        except AttributeError:  # what botocore makes of credentials that are not there
            self._fail(NoCredentialsError())
        return {**form, "key": key, "expires": SECONDS, "max_bytes": MAX_UPLOAD_BYTES}

    def read(self, key: str) -> bytes:
        """Return an uploaded file.

        Raises:
            UploadNotFoundError: No such key was given out, nothing was sent, or it is deleted.
            TooLargeError: It has more than ``MAX_UPLOAD_BYTES``.
            UploadsUnavailableError: S3 does not answer.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, folder = self._place
        if not re.fullmatch(f"{re.escape(folder)}/{_TOKEN}", key):
            raise UploadNotFoundError(
                f"{key[:80]!r} is no key of an upload. Send the key that POST /uploads gave."
            )
        try:
            found = self._client.get_object(Bucket=bucket, Key=key)
            if found["ContentLength"] > MAX_UPLOAD_BYTES:
                found["Body"].close()
                raise TooLargeError(f"The upload is larger than {_MOST}, the most that is taken.")
            return found["Body"].read()
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            # Without s3:ListBucket, which the role has not, a missing object is a forbidden one.
            if code in ("NoSuchKey", "404", "AccessDenied", "403"):
                raise UploadNotFoundError(
                    f"There is no upload {key!r} that can be read here: its file was not sent, or "
                    "was sent more than a day ago. Ask POST /uploads for another form."
                ) from error
            self._fail(error)

    @cached_property
    def _place(self) -> tuple[str, str]:
        if not self._uri:
            raise UploadNotFoundError(
                "This service takes no uploads: its INCOMING_URI is not set. Images come in the "
                f"request itself, up to {MAX_REQUEST_BYTES / 1e6:.1f} MB: scale larger ones down."
            )
        scheme, _, rest = self._uri.partition("://")
        bucket, _, folder = rest.strip("/").partition("/")
        if scheme != "s3" or not bucket or not folder:
            raise UploadsUnavailableError(
                f"INCOMING_URI is {self._uri!r}; it must be s3://bucket/folder."
            )
        return bucket, folder

    @property
    def _client(self) -> S3Client:
        with self._lock:  # boto3 makes one client at a time
            return self._made_client

    @cached_property
    def _made_client(self) -> S3Client:
        own = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        # A form follows no redirection, and S3 redirects from bucket.s3.amazonaws.com to the
        # bucket's region for hours after it was made: "virtual" names the region at once. An S3
        # of one's own may have no name for each bucket.
        style = "auto" if own else "virtual"
        return make_client(signature_version="s3v4", s3={"addressing_style": style})

    def _fail(self, error: Exception) -> NoReturn:
        # What is out of reach is named with its key, and this goes into the log.
        reason = re.sub(f"/{_TOKEN}", "/…", str(error).rstrip("."))
        raise UploadsUnavailableError(
            f"Uploads cannot be asked about in {self._uri}: {reason}. Check the "
            "network, INCOMING_URI, AWS_ENDPOINT_URL and the credentials."
        ) from error


NO_UPLOADS = Incoming("")
"""Of a service that takes none."""
