"""The suffixes of image files: one list for every command."""

from __future__ import annotations

from model_loader.image.formats import FORMATS

SUFFIXES = tuple(suffix for known in FORMATS.values() for suffix in known.suffixes)


def is_image_name(name: str) -> bool:
    """Return whether a file's name ends as those of images do."""
    return name.lower().endswith(SUFFIXES)
