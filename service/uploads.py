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
from typing import Any, NoReturn

from model_loader import (
    MAX_REQUEST_BYTES,
    MAX_UPLOAD_BYTES,
    StorageError,
    TooLargeError,
    UploadNotFoundError,
    UploadsUnavailableError,
)
from service.bucket import Bucket

SECONDS = 300
"""How long a form may be sent."""

_MOST = f"{MAX_UPLOAD_BYTES / 1e6:.0f} MB"
_TOKEN_BYTES = 24
_TOKEN = "[A-Za-z0-9_-]{32}"  # what token_urlsafe makes of so many


class Uploads:
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
    def from_environment(cls) -> Uploads:
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
        _, folder = self._place
        key = f"{folder}/{secrets.token_urlsafe(_TOKEN_BYTES)}"
        try:
            form = self._bucket.sign_form(key, media_type, SECONDS)
        except StorageError as error:
            self._fail(error)
        return {**form, "key": key, "expires": SECONDS, "max_bytes": MAX_UPLOAD_BYTES}

    def read(self, key: str) -> bytes:
        """Return an uploaded file.

        Raises:
            UploadNotFoundError: No such key was given out, nothing was sent, or it is deleted.
            TooLargeError: It has more than ``MAX_UPLOAD_BYTES``.
            UploadsUnavailableError: S3 does not answer.
        """
        _, folder = self._place
        if not re.fullmatch(f"{re.escape(folder)}/{_TOKEN}", key):
            raise UploadNotFoundError(
                f"{key[:80]!r} is no key of an upload. Send the key that POST /uploads gave."
            )
        try:
            # Without s3:ListBucket, which the role has not, a missing object is a forbidden one.
            found = self._bucket.find(key)
        except TooLargeError as error:
            raise TooLargeError(
                f"The upload is larger than {_MOST}, the most that is taken."
            ) from error
        except StorageError as error:
            self._fail(error)
        if found is None:
            raise UploadNotFoundError(
                f"There is no upload {key!r} that can be read here: its file was not sent, or "
                "was sent more than a day ago. Ask POST /uploads for another form."
            )
        return found.data

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
    def _bucket(self) -> Bucket:
        with self._lock:  # boto3 makes one client at a time
            return self._made_bucket

    @cached_property
    def _made_bucket(self) -> Bucket:
        own = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        # A form follows no redirection, and S3 redirects from bucket.s3.amazonaws.com to the
        # bucket's region for hours after it was made: "virtual" names the region at once. An S3
        # of one's own may have no name for each bucket.
        style = "auto" if own else "virtual"
        name, _ = self._place
        return Bucket(name, signature_version="s3v4", s3={"addressing_style": style})

    def _fail(self, error: StorageError) -> NoReturn:
        # The sentence names the object by its key, and this goes into the log.
        reason = re.sub(f"/{_TOKEN}", "/…", str(error).rstrip("."))
        raise UploadsUnavailableError(
            f"Uploads cannot be asked about in {self._uri}: {reason}. Check the "
            "network, INCOMING_URI, AWS_ENDPOINT_URL and the credentials."
        ) from error


NO_UPLOADS = Uploads("")
"""Of a service that takes none."""
