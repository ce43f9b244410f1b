"""Asking about an image that is too large for a request: upload it, then name its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests_toolbelt import MultipartEncoder

from model_loader import MAX_REQUEST_BYTES
from training.predict.exchange import UnreachableError, problem, send

Post = Callable[[str, Mapping[str, Any]], requests.Response]
"""Posts JSON to a route of the service."""


class UploadError(Exception):
    """The image did not get there; the message says why."""


def ask_by_upload(post: Post, storage: requests.Session, data: bytes) -> requests.Response:
    """Return the service's answer to an image that goes through its storage.

    Args:
        post: Asks the service.
        storage: Sends to its storage, which is to see no key of the service.
        data: The image file.

    Raises:
        UploadError: The service or its storage does not take the file.
        UnreachableError: Nobody answers.
    """
    begun = post("/uploads", {"bytes": len(data)})
    if begun.status_code in (requests.codes.not_found, requests.codes.method_not_allowed):
        raise UploadError(
            f"It has {len(data) / 1e6:.1f} MB, a request holds {MAX_REQUEST_BYTES / 1e6:.1f}, and "
            f"this service takes no uploads (POST /uploads: HTTP {begun.status_code}). Scale the "
            "image down, or deploy the service again from this version."
        )
    if begun.status_code != requests.codes.created:
        raise UploadError(problem(begun))
    try:
        form = begun.json()
        url, fields, key = str(form["url"]), dict(form["fields"]), str(form["key"])
        # The file comes last: S3 reads nothing behind it.
        body = MultipartEncoder({**fields, "file": ("image", data, "application/octet-stream")})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UploadError("What POST /uploads gave is no form to upload a file with.") from error
    _store(storage, url, body)
    return post("/classify", {"key": key})


def _store(storage: requests.Session, url: str, body: MultipartEncoder) -> None:
    headers = {"Content-Type": body.content_type}
    host = urlsplit(url).hostname
    try:
        # As bytes: a stream could be sent only once, and not again after a failure.
        response = send(storage, "POST", url, body.to_string(), headers)
    except UnreachableError as error:
        raise UnreachableError(f"It could not be uploaded to {host}: {error}") from error
    if response.status_code // 100 != 2:
        raise UploadError(f"{host} does not take the upload: {problem(response)}")
