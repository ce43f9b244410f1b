"""The files of a request: in a multipart or a raw image body, or uploaded before."""

from __future__ import annotations

from collections.abc import Iterator

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
)
from werkzeug.wrappers import Request

from model_loader import (
    MAX_REQUEST_BYTES,
    MalformedRequestError,
    TooLargeError,
    UnsupportedImageError,
)
from service.documents import JSON_TYPE, RAW_TYPE, read_key
from service.incoming import Incoming
from service.upload import KEY_FIELD, Upload

MAX_PARTS = 100
"""Parts of the largest multipart body."""

RAW_FIELD = "body"
"""What a raw body is called in the answer, where a form has a field's name."""

_LONGEST_NAME = 255
"""Characters, as file systems have it."""

_PIECE = 1 << 16

_CURL = "With curl, send a file as -F file1=@photo.jpg and set no content-type boundary yourself."


def read_uploads(request: Request, incoming: Incoming) -> list[Upload]:
    """Return the files of a request, in the order sent.

    Args:
        request: Multipart, a raw ``image/*``, or JSON with the key of an upload.
        incoming: Where uploads are.

    Raises:
        TooLargeError: The body has more than ``MAX_REQUEST_BYTES`` or ``MAX_PARTS``, or the upload
            more than ``MAX_UPLOAD_BYTES``.
        MalformedRequestError: The body is not what it claims to be, or has no file.
        UnsupportedImageError: The body's media type is not taken.
        UploadNotFoundError: There is no such upload.
        UploadsUnavailableError: The upload cannot be read at present.
    """
    body = read_body(request, incoming)
    if request.mimetype == JSON_TYPE:
        return [Upload(KEY_FIELD, None, incoming.read(read_key(body)))]
    if request.mimetype == "multipart/form-data":
        return _read_multipart(body, request.headers["Content-Type"])
    if request.mimetype.startswith("image/") or request.mimetype == RAW_TYPE:
        return [Upload(RAW_FIELD, None, body)]
    if not body:
        raise MalformedRequestError(f"The request has no file. {_CURL}")
    raise UnsupportedImageError(
        f"The content type {request.mimetype or '(none)'} is not taken. Send multipart/form-data "
        f"with a file, the image itself as image/*, or the key of an upload as {JSON_TYPE}. {_CURL}"
    )


def read_body(request: Request, incoming: Incoming) -> bytes:
    """Return the whole body.

    Raises:
        TooLargeError: It has more than ``MAX_REQUEST_BYTES``.
    """
    # One byte more is let through: a body without a length is not refused but cut at the limit.
    request.max_content_length = MAX_REQUEST_BYTES + 1
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        body = None
    if body is None or len(body) > MAX_REQUEST_BYTES:
        raise TooLargeError(
            f"The request is larger than {MAX_REQUEST_BYTES / 1e6:.1f} MB, which is what AWS "
            f"Lambda lets through. {incoming.advice}"
        )
    return body


def _read_multipart(body: bytes, content_type: str) -> list[Upload]:
    boundary = parse_options_header(content_type)[1].get("boundary")
    if not boundary:
        raise MalformedRequestError(
            f"The content type {content_type} names no boundary, so the parts of the body cannot "
            f"be told apart. {_CURL}"
        )
    try:
        files, texts = _split(body, boundary)
    except RequestEntityTooLarge as error:
        raise TooLargeError(f"The request has more than {MAX_PARTS} parts; send fewer.") from error
    except ValueError as error:
        raise MalformedRequestError(
            f"The body is not whole multipart/form-data with the boundary {boundary[:70]!r} that "
            f"the content type names: its parts, their headers or its end are missing. {_CURL}"
        ) from error
    if files:
        return files
    if texts:
        raise MalformedRequestError(f"The field {texts[0]!r} holds text, not a file. {_CURL}")
    raise MalformedRequestError(f"The request has no file. {_CURL}")


def _split(body: bytes, boundary: str) -> tuple[list[Upload], list[str]]:
    """Return the files, and the names of the fields that are not files.

    Raises:
        ValueError: The body is malformed or ends early.
        RequestEntityTooLarge: It has more than ``MAX_PARTS``.
        MalformedRequestError: A name is too long.
    """
    files: list[Upload] = []
    texts: list[str] = []
    part: File | Field | None = None
    data: list[bytes] = []
    for event in _events(body, boundary):
        if isinstance(event, File | Field):
            _check_names(event)
            part, data = event, []
        elif isinstance(event, Data):
            data.append(event.data)
            if event.more_data:
                continue
            if isinstance(part, File):
                files.append(Upload(part.name or "", part.filename or None, b"".join(data)))
            elif part is not None:
                texts.append(part.name or "")
    return files, texts


def _check_names(part: File | Field) -> None:
    """Refuse names that an answer could not repeat: it may hold 6 MB, and data out is paid for."""
    filename = part.filename if isinstance(part, File) else ""
    if len(part.name or "") > _LONGEST_NAME or len(filename or "") > _LONGEST_NAME:
        raise MalformedRequestError(
            f"The name of a field or of its file has more than {_LONGEST_NAME} characters. "
            f"Give it a shorter one. {_CURL}"
        )


def _events(body: bytes, boundary: str) -> Iterator[Event]:
    """Decode piece by piece: the decoder's slow search then covers the boundary's piece alone."""
    decoder = MultipartDecoder(boundary.encode("latin-1"), max_parts=MAX_PARTS)
    for start in range(0, len(body), _PIECE):
        decoder.receive_data(body[start : start + _PIECE])
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            yield event
    decoder.receive_data(None)
    while not isinstance(event := decoder.next_event(), Epilogue):
        yield event
