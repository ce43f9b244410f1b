"""The Lambda entry point: API Gateway's events in, its responses out."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

import handler
from model_loader import SharedModel
from tools.local_aws.gateway_events import http_api_event, rest_event


@pytest.fixture(autouse=True)
def app_with_a_model(published: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "app", handler.create_app(SharedModel(published)))


@pytest.fixture(params=[rest_event, http_api_event], ids=["rest-v1", "http-api-v2"])
def event(request: pytest.FixtureRequest, photo: bytes, tmp_path: Path) -> dict[str, Any]:
    """Document 002's curl, as a REST or an HTTP API hands it over."""
    (tmp_path / "photo.jpg").write_bytes(photo)
    event: dict[str, Any] = request.param(tmp_path / "photo.jpg")
    return event


def answer(event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    response = handler.lambda_handler(event, None)
    assert not response.get("isBase64Encoded")
    return response["statusCode"], json.loads(response["body"])


def test_the_documents_request_is_answered(event: dict[str, Any]) -> None:
    status, body = answer(event)
    assert status == 200
    assert body["file"] == "file1"
    assert body["predicted"].startswith("That seems to be ")


@pytest.mark.parametrize("name", ["Content-Type", "content-type", "CONTENT-TYPE"])
def test_the_case_of_a_headers_name_does_not_matter(event: dict[str, Any], name: str) -> None:
    for headers in ("headers", "multiValueHeaders"):
        if event.get(headers):
            event[headers] = {
                name if key.lower() == "content-type" else key: value
                for key, value in event[headers].items()
            }
    assert answer(event)[0] == 200


def test_problems_are_text_not_base64(event: dict[str, Any]) -> None:
    event["body"] = base64.b64encode(b"nothing").decode()
    status, body = answer(event)
    assert status == 400
    assert body["title"] == "Malformed request"


def test_bad_base64_is_a_malformed_request(event: dict[str, Any]) -> None:
    event["body"] = "this is *not* base64"
    status, body = answer(event)
    assert status == 400
    assert "marked as base64" in body["detail"]


@pytest.mark.parametrize(("stage", "path"), [("$default", "/ping"), ("dev", "/dev/ping")])
def test_a_named_stage_is_no_part_of_an_http_apis_path(
    stage: str, path: str, photo: bytes, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo)
    event = http_api_event(tmp_path / "photo.jpg")
    event["requestContext"]["stage"] = stage
    event["requestContext"]["http"]["method"] = "GET"
    event["rawPath"] = path
    assert answer(event) == (200, {"status": "ok"})


def test_null_headers_and_body_are_taken_as_none(event: dict[str, Any]) -> None:
    bare = copy.deepcopy(event)
    bare["headers"] = None
    bare.pop("multiValueHeaders", None)
    bare["body"], bare["isBase64Encoded"] = None, False
    status, body = answer(bare)
    assert status == 400
    assert "The request has no file" in body["detail"]


def test_a_body_that_came_in_chunks_is_taken(event: dict[str, Any]) -> None:
    event["headers"]["transfer-encoding"] = "chunked"
    if "multiValueHeaders" in event:
        event["multiValueHeaders"]["transfer-encoding"] = ["chunked"]
    assert answer(event)[0] == 200


@pytest.mark.parametrize(
    "event",
    [{}, {"Records": []}, {"version": "2.0"}, {"httpMethod": "GET"}, [], None, 5],
    ids=str,
)
def test_an_event_that_is_no_request_is_refused(event: Any) -> None:
    status, body = answer(event)
    assert status == 400
    assert "not an HTTP request of API Gateway" in body["detail"]
