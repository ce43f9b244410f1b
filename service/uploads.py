"""Uploads: images too large for a request, which S3 keeps for a day.

boto3 is imported for the first upload, so that requests with small images never pay for it.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
from functools import cached_property
from typing import Any, NoReturn

from model_loader import MAX_REQUEST_BYTES, MAX_UPLOAD_BYTES, TooLargeError
from service.bucket import Bucket
from service.errors import StorageError, UploadNotFoundError, UploadsUnavailableError

log = logging.getLogger(__name__)

SECONDS = 300
"""Lifetime of an upload form."""

_MOST = f"{MAX_UPLOAD_BYTES / 1e6:.0f} MB"
_TOKEN_BYTES = 24
_TOKEN = "[A-Za-z0-9_-]{32}"  # of token_urlsafe(_TOKEN_BYTES)


class Uploads:
    """The folder of a bucket that clients upload images to, by signed forms only.

    Requests choose neither the bucket nor the folder, and no other object is ever read.
    """

    def __init__(self, uri: str) -> None:
        """Remember the address, without a request to S3.

        Args:
            uri: ``s3://bucket/folder``; empty for a service that accepts no uploads.
        """
        self._uri = uri
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls) -> Uploads:
        """Return the folder that ``INCOMING_URI`` names."""
        return cls(os.environ.get("INCOMING_URI", ""))

    @property
    def advice(self) -> str:
        """Advice for an image that is too large for a request."""
        if self._uri:
            return f"POST /uploads says where to send a file of up to {_MOST}."
        return "Scale the image down, or save it as JPEG."

    def begin(self, media_type: str) -> dict[str, Any]:
        """Return a form that uploads one file to S3, and the key that the file will have.

        S3 itself refuses another key or media type, fewer than 1 or more than ``MAX_UPLOAD_BYTES``,
        and a form older than ``SECONDS``.

        Raises:
            UploadNotFoundError: The service accepts no uploads.
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
            UploadNotFoundError: The key was never issued, or its file was not sent or is deleted.
            TooLargeError: The file has more than ``MAX_UPLOAD_BYTES``.
            UploadsUnavailableError: The bucket cannot be reached.
        """
        _, folder = self._place
        if not re.fullmatch(f"{re.escape(folder)}/{_TOKEN}", key):
            raise UploadNotFoundError(
                f"{key[:80]!r} is no key of an upload. Send the key that POST /uploads gave."
            )
        try:
            # The role lacks s3:ListBucket, so S3 answers 403 for an object that does not exist.
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
            log.warning("An upload was refused: INCOMING_URI is not set.")
            raise UploadNotFoundError(
                f"This service takes no files of more than {MAX_REQUEST_BYTES / 1e6:.1f} MB. Scale "
                "the image down, or save it as JPEG."
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
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        # A form follows no redirection, and S3 redirects from bucket.s3.amazonaws.com to the
        # bucket's region for hours after the bucket was made: "virtual" names the region at once.
        # Another S3 may have no host name for each bucket.
        style = "auto" if endpoint else "virtual"
        name, _ = self._place
        return Bucket(name, signature_version="s3v4", s3={"addressing_style": style})

    def _fail(self, error: StorageError) -> NoReturn:
        # The reason goes into the log, and must not name the key.
        reason = re.sub(f"/{_TOKEN}", "/…", str(error).rstrip("."))
        raise UploadsUnavailableError(
            f"The upload bucket of {self._uri} cannot be reached: {reason}. Check the network, "
            "INCOMING_URI, AWS_ENDPOINT_URL and the credentials."
        ) from error


NO_UPLOADS = Uploads("")
"""For a service that accepts no uploads."""
