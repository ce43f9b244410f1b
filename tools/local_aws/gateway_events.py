"""The events that Lambda gets of HTTP requests, from `events/`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from requests_toolbelt import MultipartEncoder

_TEMPLATES = Path(__file__).resolve().parent / "events"


def rest_event(photo: Path) -> dict[str, Any]:
    """Return the event of a file sent to a REST API: payload 1.0, the path without the stage."""
    event, content_type = _event("rest_api_v1.json", photo)
    event["headers"]["Content-Type"] = content_type
    event["multiValueHeaders"]["Content-Type"] = [content_type]
    return event


def rest_json_event(path: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return the event that a REST API makes of a POST of JSON."""
    event: dict[str, Any] = json.loads((_TEMPLATES / "rest_api_v1.json").read_text())
    event["path"] = path
    event["headers"]["Content-Type"] = "application/json"
    event["multiValueHeaders"]["Content-Type"] = ["application/json"]
    event["body"] = json.dumps(document)
    event["isBase64Encoded"] = False
    return event


def http_api_event(photo: Path) -> dict[str, Any]:
    """Return that of an HTTP API with a named stage: payload 2.0, the path with the stage."""
    event, content_type = _event("http_api_v2.json", photo)
    event["headers"]["content-type"] = content_type
    return event


def function_url_event(photo: Path) -> dict[str, Any]:
    """Return that of a Function URL without authorization."""
    event, content_type = _event("function_url.json", photo)
    event["headers"]["content-type"] = content_type
    return event


def alb_event(photo: Path) -> dict[str, Any]:
    """Return that of a load balancer whose target group has single-value headers."""
    event, content_type = _event("alb.json", photo)
    event["headers"]["content-type"] = content_type
    return event


def alb_multi_value_event(photo: Path) -> dict[str, Any]:
    """Return that of a load balancer whose target group has multi-value headers."""
    event = alb_event(photo)
    event["multiValueHeaders"] = {name: [value] for name, value in event.pop("headers").items()}
    event["multiValueQueryStringParameters"] = event.pop("queryStringParameters")
    return event


def multipart(photo: Path) -> tuple[bytes, str]:
    """Return a body that holds the file as the field `file1`, and its content type."""
    form = MultipartEncoder({"file1": (photo.name, photo.read_bytes(), "image/png")})
    return form.to_string(), form.content_type


def _event(template: str, photo: Path) -> tuple[dict[str, Any], str]:
    event: dict[str, Any] = json.loads((_TEMPLATES / template).read_text())
    body, content_type = multipart(photo)
    event["body"] = base64.b64encode(body).decode()
    event["isBase64Encoded"] = True
    return event, content_type
