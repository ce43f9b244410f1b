"""GET /openapi.json: a valid document that describes this service, and not an older one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import Client

import handler
from model_loader import (
    MAX_PIXELS,
    MAX_REQUEST_BYTES,
    MAX_UPLOAD_BYTES,
    ClassifierError,
    InputError,
    SharedModel,
)
from model_loader.image.formats import FORMATS
from service.errors import UploadNotFoundError
from service.json_bodies import IMAGE_TYPES, JSON_TYPE, RAW_TYPE
from service.request_files import MAX_PARTS
from tests.support.openapi import DOCUMENT, METHODS, ROUTES
from tools.local_aws.gateway_events import rest_event

OPERATIONS = {
    f"{method.upper()} {path}": DOCUMENT["paths"][path][method.lower()]
    for method, path in sorted(ROUTES)
}
CLASSIFY, UPLOADS = OPERATIONS["POST /classify"], OPERATIONS["POST /uploads"]
WISH = DOCUMENT["components"]["schemas"]["UploadWish"]["properties"]


def errors(base: type[ClassifierError]) -> set[type[ClassifierError]]:
    return {base}.union(*(errors(one) for one in base.__subclasses__()))


def statuses(base: type[ClassifierError]) -> set[int]:
    return {one.status for one in errors(base)}


@pytest.fixture
def served(client: Client) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").get_json()
    return document


def test_it_is_valid(served: dict[str, Any]) -> None:
    assert served["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(served).validate()


def test_it_is_served_without_a_model(tmp_path: Path) -> None:
    response = Client(handler.create_app(SharedModel(str(tmp_path)))).get("/openapi.json")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert response.get_json() == {**DOCUMENT, "servers": [{"url": "/"}]}


def test_its_server_is_the_gateways_stage(photo: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo)
    asked = {"path": "/openapi.json", "httpMethod": "GET"}
    response = handler.lambda_handler(rest_event(tmp_path / "photo.jpg") | asked, None)
    assert json.loads(response["body"])["servers"] == [{"url": "/dev"}]


def test_it_has_the_routes_that_there_are() -> None:
    taken = {*handler.app.routes}
    assert {(method, path) for method, path in taken if method.lower() in METHODS} == ROUTES


def test_each_error_of_a_classification_is_described() -> None:
    described = {int(status) for status in CLASSIFY["responses"]}
    assert statuses(ClassifierError) <= described
    of_one_file = DOCUMENT["components"]["schemas"]["BadFile"]["properties"]["status"]["enum"]
    assert set(of_one_file) == statuses(InputError) - {UploadNotFoundError.status}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_the_gateway_answers_by_itself_is_described(operation: str) -> None:
    assert {"401", "403", "429", "504"} <= set(OPERATIONS[operation]["responses"])


def test_its_limits_are_those_that_hold() -> None:
    texts = (
        CLASSIFY["description"],
        DOCUMENT["components"]["responses"]["TooLarge"]["description"],
    )
    limits = (
        f"{MAX_REQUEST_BYTES / 1e6} MB",
        f"{MAX_PARTS} parts",
        f"{MAX_PIXELS // 10**6} megapixels",
    )
    assert all(limit in text for limit in limits for text in texts)
    answers = DOCUMENT["components"]["schemas"]["Answers"]
    assert answers["properties"]["predictions"]["maxItems"] == MAX_PARTS


def test_the_limits_of_an_upload_are_those_that_hold() -> None:
    assert f"{MAX_UPLOAD_BYTES // 10**6} MB" in UPLOADS["description"]
    assert WISH["bytes"]["maximum"] == MAX_UPLOAD_BYTES


def test_it_names_the_media_types_that_are_taken() -> None:
    raw = {*IMAGE_TYPES, RAW_TYPE}
    forms = {"multipart/form-data", JSON_TYPE}
    assert set(CLASSIFY["requestBody"]["content"]) == raw | forms
    assert set(WISH["content_type"]["enum"]) == raw
    assert WISH["content_type"]["default"] == RAW_TYPE


@pytest.mark.parametrize("file", ["service/openapi.json", "service/page.html", "docs/api.md"])
def test_whatever_lists_the_formats_lists_all(file: str) -> None:
    lines = (Path(handler.__file__).parent / file).read_text(encoding="utf-8").splitlines()
    listing = [line for line in lines if "PNG, " in line]
    assert listing
    assert all(known.title in line for line in listing for known in FORMATS.values())
