"""How many bytes an image may have: who answers and who asks must agree on it."""

from __future__ import annotations

MAX_REQUEST_BYTES = 4_500_000
"""Of the largest request body: Lambda takes 6 MiB as base64, headers included."""

MAX_UPLOAD_BYTES = 50_000_000
"""Of the largest file that is uploaded first: one byte for each of the ``MAX_PIXELS`` of an image,
where a JPEG of the best quality rarely has more; read in a second, and little beside the decoded
pixels."""
