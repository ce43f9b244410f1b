"""An upload is read from its file while it is sent, and shows the bytes that were."""

from __future__ import annotations

import io
import os
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from werkzeug.wrappers import Response

from tests.support.servers import hanging_up, serving
from training.output import progress
from training.output.terminal import Terminal
from training.predict.endpoint import Endpoint
from training.predict.large_images import UploadForm, ask_by_upload
from training.predict.retries import Retries
from training.predict.upload_bars import UploadBars

SIZE = 40_000_000


@pytest.fixture(autouse=True)
def directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask without a proxy, and do not wait between attempts."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Retries, "_wait", lambda self, seconds: None)


@pytest.fixture(scope="module")
def large() -> Iterator[Path]:
    """A file of 40 MB, of which no two parts are alike."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        for number in range(SIZE // 8):
            file.write(number.to_bytes(8, "big"))
        file.flush()
        yield Path(file.name)


class Sink:
    """A storage that refuses some uploads, and keeps of the others what is said of them.

    Attributes:
        refusals: Number of uploads that are still answered 503, each read half-way.
        bodies: The body of each other one.
        is_kept: Whether bodies are kept; otherwise their sizes are.
        sizes: The size of each body.
    """

    def __init__(self, refusals: int = 0, is_kept: bool = True) -> None:
        self.refusals = refusals
        self.bodies: list[bytes] = []
        self.sizes: list[int] = []
        self.type = ""
        self._is_kept = is_kept

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        left = int(environ["CONTENT_LENGTH"])
        self.type = str(environ["CONTENT_TYPE"])
        kept, size = [], 0
        while left and (read := environ["wsgi.input"].read(min(left, 1 << 16))):
            left -= len(read)
            size += len(read)
            if self._is_kept:
                kept.append(read)
        if self.refusals:
            self.refusals -= 1
            return Response("", 503)(environ, start_response)
        self.bodies.append(b"".join(kept))
        self.sizes.append(size)
        return Response(status=204)(environ, start_response)


def upload(
    address: str,
    path: Path,
    sent: Callable[[int, int], None] = lambda sent, size: None,
    retries: int = 2,
) -> requests.Response:
    """Upload a file to a storage, and answer as the service would."""

    def post(route: str, document: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = {"/uploads": 201, "/classify": 200}[route]
        form = f'{{"url": "{address}/storage", "fields": {{"policy": "signed"}}, "key": "k"}}'
        response._content = form.encode()
        return response

    with requests.Session() as storage, path.open("rb") as file:
        adapter = requests.adapters.HTTPAdapter(max_retries=Retries.times(retries))
        storage.mount("http://", adapter)
        return ask_by_upload(post, storage, file, sent)


def file_in(sink: Sink) -> bytes:
    """Return the file of the only form that a sink has taken."""
    (body,) = sink.bodies
    message = BytesParser(policy=HTTP).parsebytes(
        f"Content-Type: {sink.type}\r\n\r\n".encode() + body
    )
    *fields, file = message.iter_parts()
    assert [field.get_content().strip() for field in fields] == ["signed"]
    content = file.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def test_a_large_file_is_never_held_in_memory(large: Path) -> None:
    sink = Sink(is_kept=False)
    peaks: list[int] = []
    with serving(sink) as address:
        tracemalloc.start()
        try:
            upload(address, large, lambda *_: peaks.append(tracemalloc.get_traced_memory()[1]))
        finally:
            tracemalloc.stop()
    assert sink.sizes[-1] > SIZE
    assert peaks[-1] < SIZE / 10


def test_what_arrives_is_the_file(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(os.urandom(5_000_000))
    sink = Sink()
    with serving(sink) as address:
        upload(address, path)
    assert file_in(sink) == path.read_bytes()


@pytest.mark.parametrize("refusals", [1, 2])
def test_an_upload_that_is_repeated_begins_at_the_first_byte(tmp_path: Path, refusals: int) -> None:
    path = tmp_path / "image"
    path.write_bytes(os.urandom(5_000_000))
    sink = Sink(refusals)
    with serving(sink) as address:
        upload(address, path)
    assert file_in(sink) == path.read_bytes()


def test_an_upload_whose_connection_breaks_in_the_middle_is_sent_whole(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(os.urandom(5_000_000))
    sink = Sink()
    with serving(sink) as beyond, hanging_up(2, beyond) as address:
        upload(address, path)
    assert file_in(sink) == path.read_bytes()


def test_the_form_is_the_same_each_time_it_is_read(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    form = UploadForm({"policy": "signed"}, io.BytesIO(b"image"), lambda *sent: told.append(sent))
    first = form.read()
    assert form.tell() == form.len == len(first)
    form.seek(0)
    assert form.tell() == 0
    assert form.read() == first
    assert told == [(len(first), len(first))] * 2


def test_the_bytes_that_were_sent_are_told(large: Path) -> None:
    told: list[tuple[int, int]] = []
    sink = Sink(is_kept=False)
    with serving(sink) as address:
        upload(address, large, lambda *sent: told.append(sent))
    sent = [done for done, _ in told]
    assert sent == sorted(sent)
    assert told[-1] == (sink.sizes[0], sink.sizes[0])
    assert len(told) > 100


@contextmanager
def terminal(patch: pytest.MonkeyPatch, width: int) -> Iterator[io.StringIO]:
    screen = io.StringIO()
    patch.setattr(progress, "console", Terminal(file=screen, force_terminal=True, width=width))
    yield screen


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_a_bar_with_bytes_for_each_upload(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    bars = UploadBars()
    with (
        terminal(monkeypatch, width) as screen,
        bars.upload("photos/gull at dawn.jpg") as first,
        bars.upload("b.jpg") as second,
    ):
        first(12_000_000, 40_000_000)
        second(5_000_000, 5_100_000)
        assert bars._bars is not None
        bars._bars.refresh()
        shown = screen.getvalue()
    lines = [line for line in shown.splitlines() if "Uploading" in line][-2:]
    assert "Uploading gull at dawn.jpg" in lines[0]
    assert "12.0/40.0 MB" in lines[0]
    assert "Uploading b.jpg" in lines[1]
    assert "5.0/5.1 MB" in lines[1]


def test_bars_of_several_threads_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    bars = UploadBars()

    def show(number: int) -> None:
        for _ in range(5):
            with bars.upload(f"{number}.jpg") as sent:
                sent(1, 2)

    with terminal(monkeypatch, 80):
        threads = [threading.Thread(target=show, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert bars._bars is None


def test_a_log_gets_a_line_a_minute_at_most(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("training.predict.upload_bars.time.monotonic", lambda: now)
    with UploadBars().upload("gull.jpg") as sent:
        for now in (30.0, 61.0, 62.0, 125.0):
            sent(int(now * 1e6), 200_000_000)
    assert lines.getvalue().splitlines() == [
        "Uploading gull.jpg: 61.0 of 200.0 MB",
        "Uploading gull.jpg: 125.0 of 200.0 MB",
    ]


def test_an_endpoint_shows_nothing_unless_it_is_given_bars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Endpoint, "_describe", lambda self: ("a model", ("a", "b")))
    with terminal(monkeypatch, 80) as screen, Endpoint("http://h")._bars.upload("a") as sent:
        sent(1, 2)
    assert screen.getvalue() == ""
