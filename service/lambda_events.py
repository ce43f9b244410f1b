"""The events that Lambda hands over, made safe for serverless_wsgi."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pybase64

from model_loader import ClassifierError, MalformedRequestError
from service.answers import PROBLEM_TYPE, problem_of


def checked_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an API Gateway event that serverless_wsgi handles without raising.

    A body in base64 is decoded, by a library that takes a thirtieth of the standard one's time.
    Takes REST (payload 1.0) and HTTP API (payload 2.0) events. A named stage is taken off the
    path of the latter, which serverless_wsgi leaves on.

    Raises:
        MalformedRequestError: It is no HTTP event, or its body is not the base64 that it claims.
    """
    if not isinstance(event, Mapping):
        raise MalformedRequestError("The event is not an HTTP request of API Gateway.")
    checked = dict(event)
    context = event.get("requestContext") or {}
    if event.get("version") == "2.0" and "http" in context:
        checked["rawPath"] = _without_stage(str(event.get("rawPath", "/")), context.get("stage"))
    elif "httpMethod" not in event or "path" not in event:
        raise MalformedRequestError(
            "The event is not an HTTP request of API Gateway (payload 1.0 or 2.0). "
            "Call the function through its URL."
        )
    # The gateway hands over whole bodies: what it says of their transfer holds no more.
    checked["headers"] = _without(event.get("headers"), "transfer-encoding")
    checked["multiValueHeaders"] = _without(event.get("multiValueHeaders"), "transfer-encoding")
    checked["requestContext"] = context
    checked["cookies"] = event.get("cookies") or []
    checked["body"] = event.get("body") or ""
    if event.get("isBase64Encoded"):
        checked["body"] = _decoded(event.get("body") or "")
        checked["isBase64Encoded"] = False
    return checked


def gateway_id(event: object) -> str | None:
    """Return API Gateway's own id of a request; a client can choose a REST API's ``requestId``."""
    context = event.get("requestContext") if isinstance(event, Mapping) else None
    if not isinstance(context, Mapping):
        return None
    found = context.get("extendedRequestId") or context.get("requestId")
    return found if isinstance(found, str) else None


def problem_response(error: ClassifierError) -> dict[str, Any]:
    """Return a Lambda proxy response for an error that came before the WSGI application."""
    return {
        "statusCode": error.status,
        "headers": {"Content-Type": PROBLEM_TYPE, "Access-Control-Allow-Origin": "*"},
        "body": json.dumps(problem_of(error)),
        "isBase64Encoded": False,
    }


def _without_stage(path: str, stage: str | None) -> str:
    prefix = f"/{stage}"
    if stage in (None, "", "$default") or not (path + "/").startswith(prefix + "/"):
        return path
    return path.removeprefix(prefix) or "/"


def _without(headers: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    return {key: value for key, value in (headers or {}).items() if key.lower() != name}


def _decoded(body: str) -> bytes:
    try:
        return pybase64.b64decode(body, validate=True)
    except ValueError as error:  # binascii.Error among them
        raise MalformedRequestError(
            f"The event's body is marked as base64, but is not ({error}). "
            "Check the gateway's binary media types."
        ) from error
