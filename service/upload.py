"""One file that is to be classified, wherever it came from."""

from __future__ import annotations

from dataclasses import dataclass

KEY_FIELD = "key"
"""What an object is called in the answer, where a form has a field's name."""


@dataclass(frozen=True)
class Upload:
    """One file, of a request or of a bucket.

    Attributes:
        field: The name of its form field, or what stands for one.
        filename: The name that the client gave it, or None.
        data: Its bytes.
    """

    field: str
    filename: str | None
    data: bytes
