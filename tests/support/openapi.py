"""The service's own description, as tests read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "service" / "openapi.json").read_text(encoding="utf-8")
)

METHODS = ("get", "post", "put", "patch", "delete")

ROUTES = {
    (method.upper(), path)
    for path, operations in DOCUMENT["paths"].items()
    for method in METHODS
    if method in operations
}
"""Method and path of each."""
