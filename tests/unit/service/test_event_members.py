"""Events whose members are missing, null or of another type: each gets a response."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handler
from model_loader import SharedModel
from tests.support.images import encode, noise
from tools.local_aws.gateway_events import (
    alb_event,
    alb_multi_value_event,
    function_url_event,
    http_api_event,
    rest_event,
)

pytestmark = pytest.mark.fuzz

KINDS: list[Callable[[Path], dict[str, Any]]] = [
    rest_event,
    http_api_event,
    function_url_event,
    alb_event,
    alb_multi_value_event,
]
MISSING = object()
OTHERS = [MISSING, None, 5, True, "text", "", [], {}, [None], {"a": None}, "\ud800", "a\r\nb"]
READ = {
    "httpMethod",
    "version",
    "rawPath",
    "path",
    "headers",
    "multiValueHeaders",
    "body",
    "isBase64Encoded",
}
"""Members without which a request cannot be answered; besides, all that lies in the context."""

PHOTO = encode(noise(20, 20), "PNG")


@pytest.fixture(scope="module", autouse=True)
def app_with_a_model(published: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handler, "app", handler.create_app(SharedModel(published)))
        yield


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """An event of each kind that posts a PNG as a form."""
    photo = tmp_path_factory.mktemp("photo") / "photo.png"
    photo.write_bytes(PHOTO)
    return {make.__name__: make(photo) for make in KINDS}


def members(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every member, at every depth."""
    if path:
        yield path
    if isinstance(value, dict):
        for name in value:
            yield from members(value[name], (*path, name))


def changed(event: dict[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    if value is MISSING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


def respond(event: object) -> int:
    """Check that there is a response, an answer or a problem, and return its status."""
    response = handler.lambda_handler(event, None)
    json.dumps(response).encode()
    status: int = response["statusCode"]
    assert isinstance(response["isBase64Encoded"], bool)
    headers = {name: [value] for name, value in response.get("headers", {}).items()}
    headers |= response.get("multiValueHeaders", {})
    assert headers["Access-Control-Allow-Origin"] == ["*"]
    if status >= 400:
        assert headers["Content-Type"] == ["application/problem+json"]
        problem = json.loads(response.get("body", "{}"))
        assert problem == {} or set(problem) == {"title", "status", "detail"}
    return status


@pytest.mark.parametrize("kind", [make.__name__ for make in KINDS])
def test_every_member_may_be_missing_null_or_of_another_type(
    events: dict[str, dict[str, Any]], kind: str
) -> None:
    event = events[kind]
    assert respond(event) == 200
    wrong = []
    for path in members(event):
        is_read = path[0] in READ or path[:2] in {
            ("requestContext", "http"),
            ("requestContext", "stage"),
        }
        matters = is_read or path == ("requestContext",)
        for value in OTHERS:
            status = respond(changed(event, path, value))
            if status >= 500 or (status != 200 and not matters):
                wrong.append((path, value, status))
    assert wrong == []


@pytest.mark.parametrize("kind", [make.__name__ for make in KINDS])
def test_a_problem_comes_in_the_headers_form_of_the_event(
    events: dict[str, dict[str, Any]], kind: str
) -> None:
    broken = {**events[kind], "body": "*"}
    response = handler.lambda_handler(broken, None)
    assert response["statusCode"] == 400
    assert ("multiValueHeaders" in response) == ("multiValueHeaders" in broken)
    assert ("headers" in response) == ("multiValueHeaders" not in broken)


@pytest.mark.parametrize("kind", [make.__name__ for make in KINDS])
@pytest.mark.parametrize("content_type", ["image/png", "application/octet-stream", None])
def test_a_body_that_became_text_is_refused_and_the_log_says_what_to_set(
    events: dict[str, dict[str, Any]],
    kind: str,
    content_type: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    event = copy.deepcopy(events[kind])
    event["body"], event["isBase64Encoded"] = PHOTO.decode(errors="replace"), False
    for headers in filter(None, (event.get("headers"), event.get("multiValueHeaders"))):
        (name,) = [name for name in headers if name.lower() == "content-type"]
        if content_type is not None:
            is_list = isinstance(headers[name], list)
            headers[name] = [content_type] if is_list else content_type
    with caplog.at_level(logging.ERROR):
        response = handler.lambda_handler(event, None)
    assert response["statusCode"] == 400
    assert "turned into text on its way" in json.loads(response["body"])["detail"]
    assert "binaryMediaTypes" not in response["body"]
    assert "binaryMediaTypes" in caplog.text
    assert (content_type or "multipart/form-data") in caplog.text


def test_a_text_body_may_hold_the_replacement_character(events: dict[str, dict[str, Any]]) -> None:
    event = copy.deepcopy(events["http_api_event"])
    event["headers"]["content-type"] = "application/json"
    event["body"], event["isBase64Encoded"] = '{"key": "\ufffd"}', False
    assert respond(event) == 404  # no such upload


def test_a_function_urls_and_a_default_stages_address_has_no_stage(
    events: dict[str, dict[str, Any]],
) -> None:
    for kind, stage, address in (
        ("function_url_event", "$default", "/"),
        ("http_api_event", "$default", "/"),
        ("http_api_event", "dev", "/dev"),
    ):
        event = copy.deepcopy(events[kind])
        event["requestContext"]["http"]["method"] = "GET"
        event["requestContext"]["stage"], event["rawPath"] = stage, "/openapi.json"
        response = handler.lambda_handler(event, None)
        assert json.loads(response["body"])["servers"] == [{"url": address}]


def test_an_http_apis_payload_1_0_has_the_stage_in_its_path(
    events: dict[str, dict[str, Any]],
) -> None:
    event = {**events["rest_event"], "version": "1.0", "path": "/dev/classify"}
    assert respond(event) == 200


texts = st.text(st.characters(exclude_categories=()), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data())
def test_several_members_may_be_anything_at_once(
    events: dict[str, dict[str, Any]], data: st.DataObject
) -> None:
    event = data.draw(st.sampled_from(list(events.values())))
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(list(members(event))))
        event = changed(event, path, data.draw(values))
    assert respond(event) < 500


@given(headers=st.dictionaries(texts, texts | st.lists(texts, max_size=3), max_size=4))
def test_headers_may_have_any_name_and_value(
    events: dict[str, dict[str, Any]], headers: dict[str, Any]
) -> None:
    for event in events.values():
        name = "multiValueHeaders" if "multiValueHeaders" in event else "headers"
        assert respond({**event, name: {**event[name], **headers}}) < 500


@given(event=values)
def test_anything_may_come_in_place_of_an_event(event: object) -> None:
    assert respond(event) == 400
