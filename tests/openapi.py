"""The service's own description, as tests read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[1] / "service" / "openapi.json").read_text(encoding="utf-8")
)

METHODS = ("get", "post", "put", "patch", "delete")

ROUTES = {
    (method.upper(), path)
    for path, operations in DOCUMENT["paths"].items()
    for method in METHODS
    if method in operations
}
"""Method and path of each."""

RAW_TYPE = "application/octet-stream"
IMAGE_TYPES = {
    "image/jpeg": "JPEG",
    "image/jpg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/x-ms-bmp": "BMP",
    "image/tiff": "TIFF",
}
"""The media types that a picture may be sent as, and Pillow's name of each format."""
