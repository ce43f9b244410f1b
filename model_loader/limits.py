"""Limits on the size of an image: in bytes, pixels and pixels of a side."""

from __future__ import annotations

MAX_REQUEST_BYTES = 4_500_000
"""Bytes of the largest request body: Lambda takes 6 MiB as base64, headers included."""

MAX_UPLOAD_BYTES = 50_000_000
"""Bytes of the largest file that is uploaded first: one for each of ``MAX_PIXELS``. A JPEG of the
best quality rarely has more, and it takes little memory beside the decoded pixels."""

MAX_PIXELS = 50_000_000
"""Pixels of the largest image that is decoded. They are 200 MB in memory; a transparent or a
progressive file needs four times as much while it is decoded."""

MAX_SIDE = 65_535
"""Pixels of the longest side, as JPEG and GIF have it. Each row of an image costs a little."""
