"""The suffixes of image files: one list for every command."""

from __future__ import annotations

EXTENSIONS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
}
"""The suffixes of each format, by Pillow's names; the first of each is the usual one."""

SUFFIXES = tuple(sorted(suffix for own in EXTENSIONS.values() for suffix in own))


def is_image_name(name: str) -> bool:
    """Return whether a file's name ends as those of images do."""
    return name.lower().endswith(SUFFIXES)
