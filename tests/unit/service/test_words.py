"""What a client reads: never a setting, a resource or the options of one tool."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from handler import create_app
from model_loader import MAX_REQUEST_BYTES, SharedModel, UnavailableError
from service.answers import problem_of
from service.uploads import Uploads
from tests.support.problems import problem
from tests.support.versions import build_version
from tests.unit.service.test_openapi import errors

ROOT = Path(__file__).parents[3]

OPERATORS = re.compile(
    r"\b(MODEL|INCOMING|METRICS|AWS|API_GATEWAY)_[A-Z_]+|\bs3://|a-bucket|\bcurl\b|--[a-z]|\s-[A-Z]\b"
)
"""Environment variables, buckets and options of a command line."""

FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\nhello\r\n'
REFUSED: list[tuple[int, dict[str, Any]]] = [
    (400, {}),
    (400, {"data": b"", "content_type": "image/jpeg"}),
    (400, {"data": b"x", "content_type": "multipart/form-data"}),
    (400, {"data": b"x", "content_type": FORM}),
    (400, {"data": b"--b--\r\n", "content_type": FORM}),
    (400, {"data": PART % b"f" + b"--b--\r\n", "content_type": FORM}),
    (400, {"data": PART % (300 * b"f") + b"--b--\r\n", "content_type": FORM}),
    (
        400,
        {"data": PART.replace(b'"\r', b'"; filename=""\r').replace(b"hello", b"") % b"f" + b"--b--"}
        | {"content_type": FORM},
    ),
    (413, {"data": 101 * (PART % b"f") + b"--b--\r\n", "content_type": FORM}),
    (413, {"data": bytes(MAX_REQUEST_BYTES + 1), "content_type": "image/jpeg"}),
    (415, {"data": b"hello", "content_type": "text/plain"}),
    (415, {"data": b"hello", "content_type": "image/jpeg"}),
    (400, {"data": b"{", "content_type": "application/json"}),
    (400, {"json": {"key": "k", "more": 1}}),
    (404, {"json": {"key": "incoming/" + "k" * 32}}),
    (404, {"path": "/uploads"}),
    (404, {"path": "/nowhere"}),
    (405, {"path": "/model"}),
]


@pytest.fixture
def alone(tmp_path: Path) -> Client:
    """A client of a service without uploads."""
    build_version(tmp_path / "model")
    return Client(create_app(SharedModel(str(tmp_path / "model"))))


@pytest.mark.parametrize(("status", "request_"), REFUSED)
def test_a_refusal_is_in_the_words_of_http(
    alone: Client, status: int, request_: dict[str, Any]
) -> None:
    response = alone.post(**{"path": "/classify", **request_})
    assert not OPERATORS.search(problem(response, status))


@pytest.mark.parametrize("kind", sorted(errors(UnavailableError), key=str))
def test_what_the_operator_is_to_do_is_in_the_log_alone(kind: type[UnavailableError]) -> None:
    answer = problem_of(kind("s3://a-bucket/models is not there (MODEL_URI): python -m x --model"))
    assert not OPERATORS.search(json.dumps(answer))
    assert "The operator" in answer["detail"]
    assert answer["title"] == kind.title


def test_an_unavailable_service_tells_its_log_what_it_does_not_tell_a_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = Client(create_app(SharedModel("a://b"), Uploads("s3://a-bucket")))
    for response in (client.get("/model"), client.post("/uploads")):
        assert not OPERATORS.search(problem(response, 503))
    assert "MODEL_URI" in caplog.text
    assert "INCOMING_URI is 's3://a-bucket'" in caplog.text


def test_a_content_type_that_is_not_taken_is_not_called_an_image_format(alone: Client) -> None:
    for asked in (
        {"path": "/classify", "data": b"hello", "content_type": "text/plain"},
        {"path": "/uploads", "json": {"content_type": "text/plain"}},
    ):
        response = alone.post(**asked)
        assert response.get_json()["title"] == "Unsupported content type"
        problem(response, 415)


@pytest.mark.parametrize(
    "file", ["service/page.html", "service/openapi.json", "deploy/gateway-responses.yml"]
)
def test_texts_for_clients_name_nothing_of_the_operators(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.search(r"\bcurl\b|[A-Z]+_URI\b|\bAWS_|s3://|bucket", text)
