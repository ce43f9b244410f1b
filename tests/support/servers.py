"""Services that tests run in a thread: the real one, and such as have a bad day."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response


@contextmanager
def serving(app: WSGIApplication) -> Iterator[str]:
    """Serve an app on a port of this machine; yield its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Moody:
    """Passes requests on, but first does something else to some of them.

    Attributes:
        requests: The path of each request that came, in order.
        keys: The API key of each.
    """

    def __init__(
        self, app: WSGIApplication, mood: Callable[[Request, int], Response | None]
    ) -> None:
        """``mood`` gets a request and how many came before it to the same path."""
        self.requests: list[str] = []
        self.keys: list[str | None] = []
        self._app = app
        self._mood = mood
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        with self._lock:
            before = self.requests.count(request.path)
            self.requests.append(request.path)
            self.keys.append(request.headers.get("x-api-key"))
        answer = self._mood(request, before)
        if answer is None:
            return self._app(environ, start_response)
        request.get_data()  # or a client that still sends finds the connection closed
        return answer(environ, start_response)


@contextmanager
def hanging_up(times: int, beyond: str) -> Iterator[str]:
    """Close so many connections without a word; lead later ones to the address ``beyond``."""
    host, port = beyond.removeprefix("http://").split(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        over = threading.Event()
        thread = threading.Thread(target=_pass_on, args=(listener, times, (host, int(port)), over))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def _pass_on(
    listener: socket.socket, times: int, beyond: tuple[str, int], over: threading.Event
) -> None:
    while not over.is_set():
        try:
            client, _ = listener.accept()
        except TimeoutError:
            continue
        with client:
            client.settimeout(5)
            sent = client.recv(1 << 16)
            if times > 0:
                times -= 1
                continue
            _exchange(client, sent, beyond)


def _exchange(client: socket.socket, sent: bytes, beyond: tuple[str, int]) -> None:
    """Pass a request of one connection on, and its answer back, then close it."""
    with socket.create_connection(beyond) as server:
        server.settimeout(5)
        head, _, body = sent.partition(b"\r\n\r\n")
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            ),
            0,
        )
        while len(body) < length:
            body += client.recv(1 << 16)
        server.sendall(head.replace(b"keep-alive", b"close") + b"\r\n\r\n" + body)
        while received := server.recv(1 << 16):
            client.sendall(received)
