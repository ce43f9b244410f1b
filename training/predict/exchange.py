"""One request and its answer, and in plain words what may be wrong with either."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from _typeshed import SupportsRead

_TIMEOUT = (10, 35)
"""Seconds to connect, and to wait for an answer: the gateway gives up after 29."""


class UnreachableError(Exception):
    """Nobody took the request; the message says why."""


def send(
    session: requests.Session,
    method: str,
    url: str,
    body: bytes | SupportsRead[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> requests.Response:
    """Return what came back.

    Raises:
        UnreachableError: Nothing did.
    """
    try:
        return session.request(
            method,
            url,
            data=body,
            headers=headers,
            timeout=_TIMEOUT,
            allow_redirects=False,  # requests would take the key along to any other host
        )
    except requests.RequestException as error:
        raise UnreachableError(_why(error)) from error


def problem(response: requests.Response) -> str:
    """Return what an error says, be it the service's, the gateway's own or S3's."""
    try:
        document = response.json()
        message = str(document.get("detail") or document.get("message") or document["title"])
    except (ValueError, KeyError, AttributeError):
        in_xml = re.search("<Message>(.+?)</Message>", response.text)
        message = in_xml[1] if in_xml else response.reason or "no reason is given"
        if response.is_redirect:
            message = f"it leads to {response.headers['location']}: give that address"
    return f"{message.rstrip('.')} (HTTP {response.status_code})."


def _why(error: requests.RequestException) -> str:
    """Say why nobody took a request, without the library's own wrapping."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"Its certificate is not accepted ({_innermost(error)})."
    if isinstance(error, requests.exceptions.ProxyError):
        return f"The proxy of this machine's settings fails ({_innermost(error)})."
    if isinstance(error, requests.Timeout):
        return f"There was no answer within {_TIMEOUT[1]} s."
    return f"The connection failed ({_innermost(error)})."


def _innermost(error: BaseException) -> str:
    """Return the innermost message, without the exceptions that wrap it."""
    while inner := getattr(error, "reason", None) or error.__cause__ or _wrapped(error):
        if not isinstance(inner, BaseException):
            break
        error = inner
    message = error.strerror if isinstance(error, OSError) else None
    return (message or str(error) or type(error).__name__).rstrip(".")


def _wrapped(error: BaseException) -> BaseException | None:
    return next((value for value in error.args if isinstance(value, BaseException)), None)
