"""How many times a JPEG goes over its picture.

A progressive JPEG is decoded in passes over all pixels, one for each scan in the file, and an empty
scan takes a few bytes: without a limit a file of some hundred kilobytes keeps a decoder busy for
minutes.
"""

from __future__ import annotations

import re

MAX_SCANS = 50
"""libjpeg writes ten of a progressive picture, encoders that search for the best some more."""

_NEXT_MARKER = re.compile(
    rb"\xff+([^\x00\xff\xd0-\xd7])"
)  # in a scan's data: no stuffed byte, no RST
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_SCAN = bytes((0xFF, _START_OF_SCAN))


def has_too_many_scans(data: bytes) -> bool:
    """Return whether a JPEG file has more than ``MAX_SCANS`` before its end.

    What segments carry (a thumbnail, say) and what follows the end (a film) is not looked at.
    """
    if data.count(_SCAN) <= MAX_SCANS:  # nearly every file; quicker than to look at each marker
        return False
    scans, position = 0, 2
    while marker := _NEXT_MARKER.search(data, position):
        kind, position = marker[1][0], marker.end()
        if kind == _END_OF_IMAGE:
            return False
        scans += kind == _START_OF_SCAN
        if scans > MAX_SCANS:
            return True
        position += int.from_bytes(data[position : position + 2], "big")
    return False
