"""A small S3 in memory, and the ways in which one misbehaves."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from wsgiref.types import StartResponse, WSGIEnvironment
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

Fault = Callable[[Request], Response | None]
"""Answers a request badly; None leaves it to the S3."""


class MisbehavingS3:
    """An S3 with conditional writes, as an app that `tests.support.servers.serving` serves.

    Attributes:
        objects: The stored bytes by bucket and key, `bucket/key`.
        fault: What happens instead; None for nothing.
        requests: The method of each request, in order.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fault: Fault | None = None
        self.requests: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.get_data()  # or a client that still sends finds the connection closed
        self.requests.append(request.method)
        answer = self.fault(request) if self.fault else None
        return (answer or self._answer(request))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        name = request.path.strip("/")
        if request.args.get("list-type"):
            return self._list(name, request.args.get("prefix", ""))
        data = self.objects.get(name)
        tag = None if data is None else f'"{hashlib.md5(data).hexdigest()}"'
        if request.method == "PUT":
            return self._put(request, name, tag)
        if data is None or tag is None:
            return refusal(404, "NoSuchKey")
        return Response(data, 200, {"ETag": tag}, content_type="binary/octet-stream")

    def _put(self, request: Request, name: str, tag: str | None) -> Response:
        wanted = request.headers.get("If-Match")
        if (request.headers.get("If-None-Match") and tag) or (wanted and wanted != tag):
            return refusal(412, "PreconditionFailed")
        self.objects[name] = request.get_data()
        return Response("", 200, {"ETag": f'"{hashlib.md5(self.objects[name]).hexdigest()}"'})

    def _list(self, bucket: str, prefix: str) -> Response:
        start = f"{bucket}/{prefix}"
        entries = "".join(
            f"<Contents><Key>{escape(name.partition('/')[2])}</Key><Size>{len(data)}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for name, data in sorted(self.objects.items())
            if name.startswith(start)
        )
        truncated = "<IsTruncated>false</IsTruncated>"
        xml = f"<ListBucketResult>{truncated}{entries}</ListBucketResult>"
        return Response(xml, content_type="application/xml")


def refusal(status: int, code: str, **headers: str) -> Response:
    """Return an error as S3 words it."""
    xml = f"<Error><Code>{code}</Code><Message>As {code} has it</Message></Error>"
    return Response(xml, status, headers, content_type="application/xml")


def refusing(status: int, code: str, **headers: str) -> Fault:
    """Refuse every request."""
    return lambda _: refusal(status, code, **headers)


def page(status: int) -> Fault:
    """Answer with the page of a proxy or of a network's sign-in."""
    return lambda _: Response("<html>Sign in</html>", status, content_type="text/html")


def redirecting(status: int) -> Fault:
    """Lead every request to itself."""
    return lambda request: Response("", status, {"Location": request.path})


def silent(over: threading.Event) -> Fault:
    """Answer nothing until it is over."""

    def wait(_: Request) -> Response:
        over.wait(30)
        return Response("", 500)

    return wait


def stalling(over: threading.Event) -> Fault:
    """Begin a body and stop in the middle of it."""

    def body() -> Iterator[bytes]:
        yield b"{"
        over.wait(30)

    return lambda _: Response(body(), 200, {"ETag": '"x"', "Content-Length": "1000"})


def breaking(_: Request) -> Response:
    """Close the connection in the middle of a body."""
    return Response([b"{"], 200, {"ETag": '"x"', "Content-Length": "1000"})
