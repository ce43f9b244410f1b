"""``predict --endpoint`` with an image too large for a request: it goes through the storage."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from handler import create_app
from model_loader import MAX_REQUEST_BYTES, SharedModel, load_model
from service.uploads import Uploads
from tests.support.command_line import run
from tests.support.servers import Moody, serving
from training.predict import endpoint as module
from training.predict.endpoint import Endpoint
from training.predict.questions import Answer, ImageFile
from training.predict.retries import Retries

KEY = "incoming/a-key"
XML = "<Error><Code>AccessDenied</Code><Message>Policy expired.</Message></Error>"

Instead = dict[str, Response]
"""What paths answer where not as they should."""

Start = Callable[[Instead], str]


class Storage(Uploads):
    """Keeps what is sent to ``/storage`` of the service's own address."""

    def __init__(self) -> None:
        super().__init__("s3://a-bucket/incoming")
        self.address = ""
        self.data = b""
        self.form: dict[str, str] = {}
        self.keys_seen: list[str | None] = []
        self.refusals: list[Response] = []

    def begin(self, media_type: str) -> dict[str, Any]:
        form = {"url": f"{self.address}/storage", "fields": {"policy": "signed"}}
        return {**form, "key": KEY, "expires": 300, "max_bytes": 50_000_000}

    def take(self, request: Request) -> Response:
        self.keys_seen.append(request.headers.get("x-api-key"))
        with request:  # or its file stays open
            self.form, self.data = request.form.to_dict(), request.files["file"].read()
        return self.refusals.pop() if self.refusals else Response(status=204)

    def read(self, key: str) -> bytes:
        assert key == KEY
        return self.data


@pytest.fixture(autouse=True)
def directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask without a proxy, and without the environment's key."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv(module.KEY_VARIABLE, raising=False)


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def start(published: str, storage: Storage) -> Iterator[Start]:
    """Run the service, with some paths answering otherwise; return its address."""
    with ExitStack() as stack:

        def start(instead: Instead) -> str:
            def mood(request: Request, before: int) -> Response | None:
                if request.path == "/storage":
                    return storage.take(request)
                return instead.get(request.path)

            app = Moody(create_app(SharedModel(published), storage), mood)
            storage.address = stack.enter_context(serving(app))
            return storage.address

        yield start


@pytest.fixture
def large(tmp_path: Path, photo: bytes) -> Path:
    path = tmp_path / "large.jpg"
    path.write_bytes(photo + bytes(MAX_REQUEST_BYTES))  # bytes after a JPEG's end do not count
    return path


def ask(address: str, path: Path, **options: Any) -> Answer:
    (answer,) = Endpoint(address, **options).answers([ImageFile(path)])
    return answer


def test_a_large_image_is_uploaded_and_answered_by_itself(
    start: Start, storage: Storage, large: Path, published: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("predict", large, "--endpoint", start({}), "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    expected = load_model(published).classify(large.read_bytes())
    assert found["scores"] == pytest.approx(expected.scores, abs=1e-4)
    assert storage.form == {"policy": "signed"}
    assert storage.data == large.read_bytes()


def test_a_small_image_is_sent_as_ever(
    start: Start, storage: Storage, tmp_path: Path, photo: bytes
) -> None:
    (tmp_path / "small.jpg").write_bytes(photo)
    assert ask(start({}), tmp_path / "small.jpg").error == ""
    assert storage.data == b""


def test_an_image_is_large_when_it_does_not_fit_with_its_form_around_it(
    start: Start, storage: Storage, tmp_path: Path, photo: bytes
) -> None:
    path = tmp_path / "just.jpg"
    path.write_bytes(photo + bytes(MAX_REQUEST_BYTES - len(photo)))
    assert ask(start({}), path).error == ""
    assert len(storage.data) == MAX_REQUEST_BYTES


def test_the_services_key_is_not_shown_to_the_storage(
    start: Start, storage: Storage, large: Path
) -> None:
    assert ask(start({}), large, key="a secret").error == ""
    assert storage.keys_seen == [None]


@pytest.mark.parametrize("status", [404, 405])
def test_an_older_service_has_no_way_for_it_and_the_answer_says_what_to_do(
    start: Start, large: Path, status: int
) -> None:
    address = start({"/uploads": Response('{"message": "Not found"}', status)})
    assert ask(address, large).error == (
        f"It has 4.5 MB, a request holds 4.5, and this service takes no uploads (POST /uploads: "
        f"HTTP {status}). Scale the image down, or deploy the service again from this version."
    )


def test_more_than_the_service_takes_is_not_sent(
    start: Start, storage: Storage, large: Path
) -> None:
    large.write_bytes(bytes(50_000_001))
    assert "larger than 50 MB" in ask(start({}), large).error
    assert storage.data == b""


def test_the_storages_own_reason_is_passed_on(start: Start, storage: Storage, large: Path) -> None:
    storage.refusals = [Response(XML, 403, mimetype="application/xml")]
    answer = ask(start({}), large)
    assert answer.error == "127.0.0.1 does not take the upload: Policy expired (HTTP 403)."


def test_a_storage_that_leads_elsewhere_has_not_taken_it(
    start: Start, storage: Storage, large: Path
) -> None:
    storage.refusals = [Response("", 307, {"Location": "https://elsewhere"})]
    assert "does not take the upload" in ask(start({}), large).error


def test_a_busy_storage_is_asked_again(
    start: Start, storage: Storage, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retries, "_wait", lambda self, seconds: None)
    storage.refusals = [Response("", 503)] * 2
    assert ask(start({}), large).error == ""
    assert len(storage.keys_seen) == 3
    assert storage.data == large.read_bytes()


def test_a_storage_out_of_reach_is_named(start: Start, storage: Storage, large: Path) -> None:
    address = start({})
    storage.address = "http://127.0.0.1:9"
    error = ask(address, large, retries=0).error
    assert error.startswith("It could not be uploaded to 127.0.0.1: The connection failed")


@pytest.mark.parametrize("body", ["[]", "<html>", '{"url": "http://a", "key": "k"}'])
def test_what_is_no_form_is_a_row(start: Start, large: Path, body: str) -> None:
    answer = ask(start({"/uploads": Response(body, 201)}), large)
    assert answer.error == "What POST /uploads gave is no form to upload a file with."
