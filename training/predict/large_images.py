"""Asking about an image that is too large for a request: upload it, then name its key."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from uuid import uuid4

import requests
from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

from model_loader import MAX_REQUEST_BYTES
from training.predict.exchange import UnreachableError, problem, send
from training.predict.upload_bars import Sent

Post = Callable[[str, Mapping[str, Any]], requests.Response]
"""Posts JSON to a route of the service."""


class UploadError(Exception):
    """The image did not get there; the message says why."""


class UploadForm:
    """A form with a file, which is read while it is sent.

    Attributes:
        len: Size in bytes.
        content_type: Value of the header ``Content-Type``.
    """

    def __init__(self, fields: Mapping[str, str], file: BinaryIO, sent: Sent) -> None:
        """Read nothing yet.

        Args:
            fields: The other fields of the form.
            file: The file; it comes last, because S3 reads nothing behind it.
            sent: Is told the number of bytes sent, and of all bytes.
        """
        self._fields = {**fields, "file": ("image", file, "application/octet-stream")}
        self._file = file
        self._boundary = uuid4().hex
        self._sent = sent
        self.seek(0)
        self.len: int = self._monitor.len
        self.content_type: str = self._monitor.content_type

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data: bytes = self._monitor.read(size)
        return data

    def tell(self) -> int:
        """Return the number of bytes read."""
        return int(self._monitor.bytes_read)

    def seek(self, position: int) -> None:
        """Begin again, at 0: urllib3 does before it repeats a request."""
        self._file.seek(position)
        form = MultipartEncoder(self._fields, self._boundary)
        self._monitor = MultipartEncoderMonitor(
            form, lambda monitor: self._sent(monitor.bytes_read, monitor.len)
        )


def ask_by_upload(
    post: Post, storage: requests.Session, file: BinaryIO, sent: Sent
) -> requests.Response:
    """Return the service's answer to an image that goes through its storage.

    Args:
        post: Asks the service.
        storage: Sends to its storage, which is to see no key of the service.
        file: The image file.
        sent: Is told the number of bytes sent, and of all bytes.

    Raises:
        UploadError: The service or its storage does not take the file.
        UnreachableError: Nobody answers.
    """
    size = file.seek(0, os.SEEK_END)
    begun = post("/uploads", {"bytes": size})
    if begun.status_code in (requests.codes.not_found, requests.codes.method_not_allowed):
        raise UploadError(
            f"It has {size / 1e6:.1f} MB, a request holds {MAX_REQUEST_BYTES / 1e6:.1f}, and "
            f"this service takes no uploads (POST /uploads: HTTP {begun.status_code}). Scale the "
            "image down, or deploy the service again from this version."
        )
    if begun.status_code != requests.codes.created:
        raise UploadError(problem(begun))
    try:
        form = begun.json()
        url, fields, key = str(form["url"]), dict(form["fields"]), str(form["key"])
        body = UploadForm(fields, file, sent)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UploadError("What POST /uploads gave is no form to upload a file with.") from error
    _store(storage, url, body)
    return post("/classify", {"key": key})


def _store(storage: requests.Session, url: str, body: UploadForm) -> None:
    headers = {"Content-Type": body.content_type}
    host = urlsplit(url).hostname
    try:
        response = send(storage, "POST", url, body, headers)
    except UnreachableError as error:
        raise UnreachableError(f"It could not be uploaded to {host}: {error}") from error
    if response.status_code // 100 != 2:
        raise UploadError(f"{host} does not take the upload: {problem(response)}")
