"""JPEG: segments, each with a marker in front; scans, in which the pixels are coded, follow theirs.

A progressive JPEG is decoded in passes over all pixels, one for each scan in the file. An empty
scan takes a few bytes: without a limit a file of some hundred kilobytes keeps a decoder busy for
minutes.

The first scans hold each 8 × 8 block's mean (its DC coefficient), the later ones the finer detail.
A decoder that scales to an eighth makes one pixel of a block, yet reads every scan, and reading is
most of its work: without the detail it takes a third of the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from model_loader.image.essentials import Buffer, DamagedError, Essentials
from model_loader.image.orientation import find_turn

MAX_SCANS = 30
"""libjpeg writes 10 for three colours and 18 for four; encoders that search for the
smallest file write a few more."""

MEANS_ALONE = 8
"""The scale at which an image needs no detail: each block becomes one pixel."""

_MOST_SEGMENTS = 10_000
_COST_OF_SEGMENT = 100
_WINDOW = 1 << 16

_NEXT_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
# In a scan's data: neither a stuffed 0xFF nor a restart marker.

_START, _START_OF_SCAN, _END_OF_IMAGE, _TEMPORARY = 0xD8, 0xDA, 0xD9, 0x01
_WITHOUT_LENGTH = (_START, _END_OF_IMAGE, _TEMPORARY)
_SCAN = bytes((0xFF, _START_OF_SCAN))
_APP1 = 0xE1
_JFIF, _ADOBE = 0xE0, 0xEE  # they tell how colours are coded
_METADATA = {*range(0xE0, 0xF0), 0xFE} - {_JFIF, _ADOBE}
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"


class _Segment(NamedTuple):
    """A marker, and the header behind it.

    Attributes:
        kind: The marker's second byte.
        start: Position of the marker.
        end: Position behind the header; a scan's data follows it.
    """

    kind: int
    start: int
    end: int


def read_essentials(data: Buffer) -> Essentials:
    """Keep the segments before the first scan, without metadata, and everything after them.

    Raises:
        DamagedError: There are more than ``_MOST_SEGMENTS`` segments before the first scan.
    """
    kept: list[bytes | range] = [b"\xff\xd8"]
    exif = xmp = None
    count = 0
    for segment in _segments(data):
        count += 1
        if count > _MOST_SEGMENTS:
            raise DamagedError(f"more than {_MOST_SEGMENTS:,} segments before its pixels")
        if segment.kind == _START_OF_SCAN:
            kept.append(range(segment.start, len(data)))
            break
        if segment.kind == _APP1:
            body = data[segment.start + 4 : segment.end]
            exif = exif or (body if body.startswith(_EXIF) else None)
            xmp = xmp or (body if body.startswith(_XMP) else None)
        if segment.kind not in _METADATA and segment.kind not in _WITHOUT_LENGTH:
            kept.append(range(segment.start, min(segment.end, len(data))))
    return Essentials(kept, find_turn(exif, xmp), _COST_OF_SEGMENT * count)


def has_too_many_scans(data: bytes) -> bool:
    """Return whether a JPEG file has more than ``MAX_SCANS`` before its end.

    The contents of segments (a thumbnail) and data after the end (a film) are not searched.
    """
    if count_scans(data) <= MAX_SCANS:  # nearly every file; quicker than to follow markers
        return False
    scans = 0
    for number, segment in enumerate(_segments(data)):
        scans += segment.kind == _START_OF_SCAN
        if scans > MAX_SCANS or number > _MOST_SEGMENTS:
            return True
    return False


def count_scans(data: Buffer) -> int:
    """Count the bytes that look like the marker of a scan, in a fifth of ``bytes.count``'s time."""
    wanted = np.frombuffer(_SCAN, np.uint16)
    whole = data[:]
    bytes_ = np.frombuffer(whole, np.uint8)
    halves = (bytes_[start : len(whole) - (len(whole) - start) % 2] for start in (0, 1))
    return sum(int(np.count_nonzero(half.view(np.uint16) == wanted)) for half in halves)


def without_detail(data: bytes) -> bytes:
    """Return a progressive JPEG without the scans of its detail.

    A file without an end marker is returned unchanged: the decoder says what is wrong with it.
    """
    segments = [*_segments(data)]
    if not segments or segments[-1].kind != _END_OF_IMAGE:
        return data
    kept = [
        data[segment.start : following.start]
        for segment, following in pairwise(segments)
        if not _is_detail(data, segment)
    ]
    return b"".join([data[:2], *kept, data[segments[-1].start : segments[-1].end]])


def _is_detail(data: bytes, segment: _Segment) -> bool:
    """Return whether a segment is a scan that begins behind the first coefficient, the mean."""
    return segment.kind == _START_OF_SCAN and data[segment.end - 3] > 0


def _segments(data: Buffer) -> Iterator[_Segment]:
    """Yield the segments up to the end marker, or to the end of the file."""
    position = 2
    while head := data[position : position + 4]:
        if not _NEXT_MARKER.match(head):
            found = _find_marker(data, position)
            if found is None:
                return
            position, head = found, data[found : found + 4]
        start, kind = position, head[1]
        position += 2
        if kind not in _WITHOUT_LENGTH:
            position += int.from_bytes(head[2:])
        yield _Segment(kind, start, position)
        if kind == _END_OF_IMAGE:
            return


def _find_marker(data: Buffer, position: int) -> int | None:
    """Return the position of the next marker; None where there is none."""
    if isinstance(data, bytes):
        found = _NEXT_MARKER.search(data, position)
        return found.start() if found else None
    while window := data[position : position + _WINDOW]:
        if found := _NEXT_MARKER.search(window):
            return position + found.start()
        position += max(1, len(window) - 1)
    return None
