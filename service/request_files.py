"""The files of a request: in a multipart or a raw image body, or uploaded before."""

from __future__ import annotations

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.wrappers import Request

from model_loader import (
    MAX_REQUEST_BYTES,
    MalformedRequestError,
    TooLargeError,
)
from service.answers import KEY_FIELD, ImageFile
from service.errors import UnsupportedTypeError
from service.json_bodies import JSON_TYPE, RAW_TYPE, read_key
from service.multipart import Part, read_parts
from service.uploads import Uploads

MAX_PARTS = 100
"""Maximum number of parts of a multipart body."""

RAW_FIELD = "body"
"""``file`` in the answer for a raw body, which has no form field."""

# Characters, as in file systems.
_LONGEST_NAME = 255

_SEND = "Send an image as a file of a form (multipart/form-data), or as the whole body (image/*)."
_BOUNDARY = "Leave the boundary to the HTTP client, and send the request again."


def read_files(request: Request, uploads: Uploads) -> list[ImageFile]:
    """Return the files of a request, in the order sent.

    Args:
        request: A multipart form, a raw ``image/*``, or JSON with the key of an upload.
        uploads: Where large images are uploaded.

    Raises:
        TooLargeError: The body has more than ``MAX_REQUEST_BYTES`` or ``MAX_PARTS``, or the upload
            more than ``MAX_UPLOAD_BYTES``.
        MalformedRequestError: The body does not fit its media type, or has no file.
        UnsupportedTypeError: The body's media type is not supported.
        UploadNotFoundError: There is no such upload.
        UploadsUnavailableError: The upload cannot be read at present.
    """
    body = read_body(request, uploads)
    if request.mimetype == JSON_TYPE:
        return [ImageFile(KEY_FIELD, None, uploads.read(read_key(body)))]
    if request.mimetype == "multipart/form-data":
        return _read_multipart(body, request.headers["Content-Type"])
    if _is_image(request.mimetype):
        return [ImageFile(RAW_FIELD, None, body)]
    if not body:
        raise MalformedRequestError(f"The request has no file. {_SEND}")
    raise UnsupportedTypeError(
        f"The content type {request.mimetype or '(none)'} is not taken. Send multipart/form-data "
        f"with a file, the image itself as image/*, or the key of an upload as {JSON_TYPE}."
    )


def read_body(request: Request, uploads: Uploads) -> bytes:
    """Return the whole body.

    Raises:
        TooLargeError: The body has more than ``MAX_REQUEST_BYTES``.
    """
    # One byte more is let through: a body without a length is not refused but cut at the limit.
    request.max_content_length = MAX_REQUEST_BYTES + 1
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        body = None
    if body is None or len(body) > MAX_REQUEST_BYTES:
        raise TooLargeError(
            f"The request is larger than {MAX_REQUEST_BYTES / 1e6:.1f} MB, the most that is taken. "
            f"{uploads.advice}"
        )
    return body


def _read_multipart(body: bytes, content_type: str) -> list[ImageFile]:
    boundary = parse_options_header(content_type)[1].get("boundary")
    if not boundary:
        raise MalformedRequestError(
            f"The content type {content_type} names no boundary, so the parts of the body cannot "
            f"be told apart. {_BOUNDARY}"
        )
    try:
        parts = _read(body, boundary)
    except ValueError as error:
        raise MalformedRequestError(
            f"The body is not whole multipart/form-data with the boundary {boundary[:70]!r} that "
            f"the content type names: its parts, their headers or its end are missing. {_BOUNDARY}"
        ) from error
    files = [part for part in parts if _is_file(part)]
    filled = [part for part in files if part.filename != "" or part.data]
    if filled:
        return [ImageFile(part.name, part.filename or None, part.data) for part in filled]
    if files:
        raise MalformedRequestError(
            f"The file field {files[0].name!r} is empty: no file was chosen. {_SEND}"
        )
    if parts:
        raise MalformedRequestError(f"The field {parts[0].name!r} holds text, not a file. {_SEND}")
    raise MalformedRequestError(f"The request has no file. {_SEND}")


def _read(body: bytes, boundary: str) -> list[Part]:
    """Return the parts of a form.

    Raises:
        ValueError: The body is malformed or ends early.
        TooLargeError: The body has more than ``MAX_PARTS``.
        MalformedRequestError: A name is too long.
    """
    parts: list[Part] = []
    for part in read_parts(body, boundary.encode("latin-1")):
        if len(parts) == MAX_PARTS:
            raise TooLargeError(f"The request has more than {MAX_PARTS} parts; send fewer.")
        _check_names(part)
        parts.append(part)
    return parts


def _is_file(part: Part) -> bool:
    """Return whether a part is a file: by its file name, or else by its media type."""
    return part.filename is not None or _is_image(part.content_type)


def _is_image(media_type: str) -> bool:
    return media_type.startswith("image/") or media_type == RAW_TYPE


def _check_names(part: Part) -> None:
    """Refuse names too long to repeat in an answer: data out is paid for, and limited to 6 MB."""
    if max(len(part.name), len(part.filename or "")) > _LONGEST_NAME:
        raise MalformedRequestError(
            f"The name of a field or of its file has more than {_LONGEST_NAME} characters. "
            "Give it a shorter one."
        )
