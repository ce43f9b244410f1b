"""Why a package cannot be built."""

from __future__ import annotations


class BuildError(Exception):
    """The zip cannot be built; the message says why and what to do."""
