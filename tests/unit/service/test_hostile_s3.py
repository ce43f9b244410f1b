"""An S3 that answers nonsense, stalls or redirects, and AWS settings that make no sense."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import boto3
import pytest
from werkzeug.test import Client

from handler import create_app
from model_loader import ModelUnavailableError, SharedModel, s3
from service import batch
from service import bucket as bucket_module
from service.batch import lambda_handler
from service.bucket import Bucket
from service.errors import BatchError, StorageError
from service.uploads import Uploads
from tests.support.problems import problem

KEY = "incoming/" + "k" * 32
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
ANSWERS = {
    "a 404 that stalls": b"HTTP/1.1 404 Not Found\r\nContent-Length: 500\r\n\r\n<Error>",
    "a 403 that stalls": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 500\r\n\r\n<Error>",
    "a page": HTML,
    "a redirect": b"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
    "a temporary redirect": b"HTTP/1.1 307 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
    "no HTTP": b"\x00\xff\r\n\r\n",
    "no length": b"HTTP/1.1 200 OK\r\nETag: x\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: x\r\n\r\n",
    "less than it promises": b"HTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: 500\r\n\r\nabc",
    "a server error": b"HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n",
}


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[bytes], None]]:
    """Makes all clients ask an S3 that answers every request with the same bytes."""
    monkeypatch.setattr(bucket_module, "_READ_SECONDS", 0.3)
    monkeypatch.setitem(s3._CLIENT, "read_timeout", "300ms")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ExitStack() as stack:

        def start(answer: bytes) -> None:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=_answer_all, args=(listener, answer), daemon=True).start()
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            for name, value in (
                ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}"),
                ("AWS_DEFAULT_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("NO_PROXY", "127.0.0.1"),
            ):
                monkeypatch.setenv(name, value)

        yield start


def _answer_all(listener: socket.socket, answer: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer_one, args=(connection, answer), daemon=True).start()


def _answer_one(connection: socket.socket, answer: bytes) -> None:
    """Answer until the client hangs up: what stalls does not end before."""
    with connection, suppress(OSError):
        connection.settimeout(5)
        while connection.recv(1 << 16):
            connection.sendall(answer)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
class TestAnAnswerOfNonsense:
    def test_makes_an_upload_503_or_404(
        self, answering: Callable[[bytes], None], answer: bytes
    ) -> None:
        answering(answer)
        client = Client(create_app(SharedModel(""), Uploads("s3://a-bucket/incoming")))
        response = client.post("/classify", json={"key": KEY})
        detail = problem(response, response.status_code)
        assert response.get_json()["title"] == "Uploads not available"
        assert "recursion" not in detail
        assert KEY not in detail

    def test_fails_a_batch_with_the_key(
        self,
        answering: Callable[[bytes], None],
        answer: bytes,
        published: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        answering(answer)
        opened = Bucket("a-bucket"), SharedModel(published)
        monkeypatch.setattr(batch, "_open", lambda bucket: opened)
        item = {"bucket": "a-bucket", "key": "batch/j/x.png", "size": 1}
        with pytest.raises(BatchError, match=r"^batch/j/x\.png: s3://a-bucket/.* cannot be read: "):
            lambda_handler(item, None)

    def test_is_a_storage_error_for_every_operation(
        self, answering: Callable[[bytes], None], answer: bytes
    ) -> None:
        answering(answer)
        bucket = Bucket("a-bucket")
        for ask in (
            lambda: bucket.find("k"),
            lambda: bucket.read("k", unless="x"),
            lambda: bucket.write("k", b"x", None),
            lambda: bucket._lists("k"),
        ):
            with pytest.raises(StorageError, match="s3://a-bucket/k cannot be"):
                ask()

    def test_makes_no_model_available(
        self, answering: Callable[[bytes], None], answer: bytes
    ) -> None:
        answering(answer)
        with pytest.raises(ModelUnavailableError):
            SharedModel("s3://a-bucket/models/flying-objects").get()


SETTINGS = {
    "AWS_PROFILE": "nobody",
    "AWS_ENDPOINT_URL": "no address",
    "AWS_ENDPOINT_URL_S3": "http://[::",
    "AWS_DEFAULT_REGION": "no region!",
    "AWS_CONFIG_FILE": "config",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_DEFAULTS_MODE": "any",
    "AWS_ACCESS_KEY_ID": "alone",
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_make_no_sense_make_uploads_unavailable_and_nothing_else(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[no section")
    for others in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(others, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    value = str(tmp_path / "config") if name == "AWS_CONFIG_FILE" else SETTINGS[name]
    monkeypatch.setenv(name, value)
    client = Client(create_app(SharedModel(""), Uploads("s3://a-bucket/incoming")))
    for response in (client.post("/uploads"), client.post("/classify", json={"key": KEY})):
        problem(response, 503)
        assert response.get_json()["title"] == "Uploads not available"
        assert int(response.headers["Retry-After"]) > 0
    item = {"bucket": "a-bucket", "key": "batch/j/x.png", "size": 1}
    batch._open.cache_clear()
    with pytest.raises(BatchError, match=r"^batch/j/x\.png: "):
        lambda_handler(item, None)
    assert json.loads(client.get("/ping").data) == {"status": "ok"}
