"""Lambda events, checked and reduced to what serverless_wsgi handles without raising."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

import pybase64

from model_loader import ClassifierError, MalformedRequestError
from service.answers import PROBLEM_TYPE, problem_of

log = logging.getLogger(__name__)

_BINARY = ("image/", "multipart/", "application/octet-stream")
_UNFIT = re.compile("[\r\n\ud800-\udfff]")
"""Line breaks and halves of surrogate pairs: JSON can hold them, an HTTP request cannot."""


def checked_event(event: object) -> dict[str, Any]:
    """Return an event that serverless_wsgi answers, whatever the one handed over is like.

    Takes the events of API Gateway's REST APIs and HTTP APIs (payload 1.0 and 2.0), of Function
    URLs and of load balancers. Members that are null count as missing. The result has the form of
    payload 1.0 and holds only what the service reads: the method, path, headers, body and stage. A
    body in base64 is decoded, by a library that takes a thirtieth of the standard one's time.

    Raises:
        MalformedRequestError: It is no HTTP event, a member that is read has the wrong type, or
            the body is not the base64 that it claims to be, or became text on its way.
    """
    members = _mapping(event)
    context = _mapping(members.get("requestContext"))
    http = _mapping(context.get("http"))
    is_v2 = members.get("version") == "2.0"
    method = http.get("method") if is_v2 else members.get("httpMethod")
    path = members.get("rawPath") if is_v2 else members.get("path")
    if method is None or path is None:
        raise MalformedRequestError(
            "The event is not an HTTP request of API Gateway, a Function URL or a load balancer. "
            "Call the function through its URL."
        )
    stage = context.get("stage")
    stage = "" if stage in (None, "$default") else _line(stage, "stage")
    path = _line(path, "path")
    if "version" in members:  # of an HTTP API, whose paths begin with a named stage
        path = _without_stage(path, stage)
    headers = _read_headers(members)
    return {
        "httpMethod": _line(method, "method"),
        "path": path,
        "headers": {name: values[0] for name, values in headers.items()},
        "multiValueHeaders": headers if members.get("multiValueHeaders") else None,
        "requestContext": {"stage": stage, "elb": context.get("elb")},
        "body": _read_body(members, headers),
        "isBase64Encoded": False,
    }


def gateway_id(event: object) -> str | None:
    """Return API Gateway's own id of a request; a client can choose a REST API's ``requestId``."""
    context = _mapping(_mapping(event).get("requestContext"))
    found = context.get("extendedRequestId") or context.get("requestId")
    return found if isinstance(found, str) else None


def problem_response(error: ClassifierError, event: object) -> dict[str, Any]:
    """Return the Lambda proxy response for an error that came before the WSGI application."""
    headers = {"Content-Type": PROBLEM_TYPE, "Access-Control-Allow-Origin": "*"}
    answer = {
        "statusCode": error.status,
        "headers": headers,
        "body": json.dumps(problem_of(error)),
        "isBase64Encoded": False,
    }
    if _mapping(event).get("multiValueHeaders"):  # a load balancer takes the form that it sent
        del answer["headers"]
        answer["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    return answer


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _line(value: object, name: str) -> str:
    """Return a member that must be text on one line.

    Raises:
        MalformedRequestError: It is not.
    """
    if not isinstance(value, str) or _UNFIT.search(value):
        raise MalformedRequestError(f"The event's {name} is not text on one line.")
    return value


def _without_stage(path: str, stage: str) -> str:
    prefix = f"/{stage}"
    if not stage or not (path + "/").startswith(prefix + "/"):
        return path
    return path.removeprefix(prefix) or "/"


def _read_headers(members: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the values of each header that has any.

    Raises:
        MalformedRequestError: They are not text by name.
    """
    found = members.get("multiValueHeaders") or members.get("headers") or {}
    if not isinstance(found, Mapping):
        raise MalformedRequestError("The event's headers are not an object.")
    headers: dict[str, list[str]] = {}
    for name, values in found.items():
        listed = values if isinstance(values, list) else [values]
        taken = [_line(value, "headers") for value in listed if value is not None]
        # The gateway hands over whole bodies: what it says of their transfer holds no more.
        if taken and _line(name, "headers").lower() != "transfer-encoding":
            headers[name] = taken
    return headers


def _read_body(members: Mapping[str, Any], headers: Mapping[str, list[str]]) -> bytes:
    """Return the bytes that the client sent.

    Raises:
        MalformedRequestError: They cannot be told from what the event has.
    """
    body, is_base64 = members.get("body") or "", members.get("isBase64Encoded") or False
    if not isinstance(body, str) or not isinstance(is_base64, bool):
        raise MalformedRequestError(
            "The event's body must be text, and its isBase64Encoded true or false."
        )
    if is_base64:
        return _decode(body)
    try:
        data = body.encode()
    except UnicodeEncodeError as error:
        raise MalformedRequestError(f"The event's body is not text ({error.reason}).") from error
    if "\ufffd" in body and _media_type(headers).startswith(_BINARY):
        log.error(
            "A body of the type %s came as text, in which its bytes are lost. The gateway must "
            "treat it as binary: add the type to POST /classify in service/openapi.json, from "
            "which deploy/plugin.js makes binaryMediaTypes, and deploy again.",
            _media_type(headers),
        )
        raise MalformedRequestError(
            "The body was turned into text on its way to this service, and no image survives that. "
            "Nothing is wrong with the request; the operator of the service can find the reason "
            "in its log."
        )
    return data


def _media_type(headers: Mapping[str, list[str]]) -> str:
    found = [values[0] for name, values in headers.items() if name.lower() == "content-type"]
    return found[0].partition(";")[0].strip().lower() if found else ""


def _decode(body: str) -> bytes:
    try:
        return pybase64.b64decode(body, validate=True)
    except ValueError as error:  # binascii.Error among them
        raise MalformedRequestError(
            f"The event's body is marked as base64, but is not ({error}). "
            "Check the gateway's binary media types."
        ) from error
