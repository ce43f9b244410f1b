"""The parts of a multipart/form-data body (RFC 7578), read from memory in one pass.

Werkzeug's decoder refuses names that are not UTF-8, which clients on Windows send, and adds a byte
of the boundary to the file where a chunk of the body ends inside a boundary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from werkzeug.http import parse_options_header

# Headers of one part: enough for two names of 255 characters, each percent-encoded.
_MAX_HEADER_BYTES = 16_384

_BLANK_LINE = re.compile(rb"\r?\n\r?\n|\r\r")
_FOLD = re.compile(rb"(?:\r\n|\r|\n)[ \t]")


@dataclass(frozen=True)
class Part:
    """One field of a form.

    Attributes:
        name: The field's name; '' where it has none.
        filename: The file's name; '' for an empty file input, None for no file.
        content_type: The media type in lower case, without parameters; '' where none is given.
        data: The content.
    """

    name: str
    filename: str | None
    content_type: str
    data: bytes


def read_parts(body: bytes, boundary: bytes) -> Iterator[Part]:
    """Yield the parts of a body in order; lines may end in CRLF, LF or CR.

    Raises:
        ValueError: The body ends early, or a part lacks the headers that it needs.
    """
    begin: int | None = None
    for edge in _edges(boundary).finditer(body):
        if begin is not None:
            yield _read_part(body, begin, edge.start())
        if edge[1]:
            return
        begin = edge.end()
    raise ValueError("The last boundary is missing")


def _edges(boundary: bytes) -> re.Pattern[bytes]:
    """Return the pattern of a boundary's line; group 1 is there in the last one.

    It begins with the literal, which the search then looks for alone; that a line begins here is
    checked behind it.
    """
    literal = b"--" + re.escape(boundary)
    return re.compile(rb"%s(?<![^\r\n]%s)(?:(--)|[^\S\r\n]*(?:\r\n|\r|\n))" % (literal, literal))


def _read_part(body: bytes, begin: int, end: int) -> Part:
    """Read the part before the boundary at ``end``, whose line break belongs to the boundary."""
    blank = _BLANK_LINE.search(body, begin, min(end, begin + _MAX_HEADER_BYTES))
    if blank is None:
        raise ValueError("A part's headers do not end")
    headers = _read_headers(body[begin : blank.start()])
    kind, names = parse_options_header(headers.get("content-disposition"))
    if not kind:
        raise ValueError("A part has no Content-Disposition")
    line_break = 2 if body[end - 2 : end] == b"\r\n" else 1
    return Part(
        names.get("name", ""),
        names.get("filename"),
        parse_options_header(headers.get("content-type"))[0].lower(),
        body[blank.end() : end - line_break],
    )


def _read_headers(block: bytes) -> dict[str, str]:
    """Return the first value of each header, by its name in lower case."""
    headers: dict[str, str] = {}
    for line in _FOLD.sub(b" ", block).splitlines():
        name, _, value = _decode(line).partition(":")
        headers.setdefault(name.strip(" \t").lower(), value.strip(" \t"))
    return headers


def _decode(line: bytes) -> str:
    """Decode UTF-8, or else Latin-1, which takes every byte."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")
