"""The scans of a progressive JPEG that a picture of an eighth of its size has a use for.

A progressive JPEG holds each 8 × 8 block's mean (its DC coefficient) in scans of their own, before
those with the finer detail. A decoder that scales to an eighth makes one pixel of a block, yet
reads every scan, and reading is most of its work: without the others it takes a third of the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MEANS_ALONE = 8
"""The scale at which a picture needs no detail: each block becomes one pixel."""

_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""What ends a scan's data: neither a stuffed 0xFF nor a restart marker."""


@dataclass(frozen=True)
class _Segment:
    """A marker with all that belongs to it.

    Attributes:
        marker: Its second byte.
        data: From the marker up to the next one.
        is_detail: Whether it is a scan of other coefficients than the blocks' means.
    """

    marker: int
    data: bytes
    is_detail: bool = False


def without_detail(jpeg: bytes) -> bytes:
    """Return a progressive JPEG without the scans of its detail.

    What does not run to its end marker is returned as it is: its decoder says what is wrong.
    """
    try:
        kept = [segment.data for segment in _segments(jpeg) if not segment.is_detail]
    except (IndexError, ValueError):
        return jpeg
    return b"".join([jpeg[:2], *kept])


def _segments(jpeg: bytes) -> Iterator[_Segment]:
    """Split a JPEG from its first marker to its end marker.

    Raises:
        IndexError: It ends before.
        ValueError: What must be a marker is none, or a scan has no end.
    """
    at = 2
    while (marker := _marker(jpeg, at)) != _END_OF_IMAGE:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        is_detail = False
        if marker == _START_OF_SCAN:
            is_detail = jpeg[end - 3] > 0  # the first coefficient of the scan; 0 is the mean
            found = _MARKER.search(jpeg, end)
            if found is None:
                raise ValueError("a scan has no end")
            end = found.start()
        yield _Segment(marker, jpeg[at:end], is_detail)
        at = end
    yield _Segment(_END_OF_IMAGE, jpeg[at : at + 2])


def _marker(jpeg: bytes, at: int) -> int:
    if jpeg[at] != 0xFF:
        raise ValueError("no marker")
    return jpeg[at + 1]
