"""JSON bodies of requests: their members and the values that these may have."""

from __future__ import annotations

import json
from typing import Any

from model_loader import (
    MAX_UPLOAD_BYTES,
    MalformedRequestError,
    TooLargeError,
    UnsupportedImageError,
)
from model_loader.image.formats import FORMATS

JSON_TYPE = "application/json"

RAW_TYPE = "application/octet-stream"
"""The media type of a file whose format its content tells."""

IMAGE_TYPES = tuple(name for known in FORMATS.values() for name in known.media_types)


def read_upload_request(body: bytes) -> str:
    """Return the media type of the file that a client is going to upload.

    Args:
        body: Body of ``POST /uploads``; both of its members are optional, so it may be empty.

    Raises:
        MalformedRequestError: The body is not the JSON of this route.
        UnsupportedImageError: The media type is not supported.
        TooLargeError: The file has more than ``MAX_UPLOAD_BYTES``.
    """
    document = _read(body or b"{}", '{"content_type": "image/jpeg", "bytes": 8123456}')
    media_type = document.pop("content_type", RAW_TYPE)
    size = document.pop("bytes", 1)
    _refuse_more(document, "content_type and bytes")
    if not isinstance(media_type, str):
        raise MalformedRequestError("content_type is not a string. Send one like image/jpeg.")
    if isinstance(size, float) and size.is_integer():
        size = int(size)  # to JSON 1.0 is a whole number, too
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise MalformedRequestError(
            "bytes is not a whole number above 0. Send the file's size, or leave it out."
        )
    if media_type not in (*IMAGE_TYPES, RAW_TYPE):
        raise UnsupportedImageError(
            f"The content type {media_type[:80]!r} is not taken. Send one of "
            f"{', '.join(IMAGE_TYPES)} or {RAW_TYPE}."
        )
    if size > MAX_UPLOAD_BYTES:
        raise TooLargeError(
            f"The file is larger than {MAX_UPLOAD_BYTES / 1e6:.0f} MB, the most that is taken. "
            "Scale the image down, or save it as JPEG."
        )
    return media_type


def read_key(body: bytes) -> str:
    """Return the key of the upload that ``POST /classify`` names in JSON.

    Raises:
        MalformedRequestError: The body is not the JSON of this route.
    """
    document = _read(body, '{"key": "incoming/…"}')
    key = document.pop("key", None)
    _refuse_more(document, "key")
    if not isinstance(key, str):
        raise MalformedRequestError(
            'The JSON has no string as key. Send {"key": "incoming/…"} with the key that '
            "POST /uploads gave."
        )
    return key


def _read(body: bytes, example: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequestError(f"The body is not JSON. Send it like {example}.") from error
    if not isinstance(document, dict):
        raise MalformedRequestError(f"The JSON is not an object. Send it like {example}.")
    return document


def _refuse_more(left: dict[str, Any], taken: str) -> None:
    if left:
        raise MalformedRequestError(
            f"The JSON has {min(left)[:80]!r}, which is not taken here; {taken} is all there is."
        )
