"""The line that the log gets of each request on Lambda, and all else that is logged there."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from requests_toolbelt import MultipartEncoder

import handler
from model_loader import Model, SharedModel, load_model
from service.answers import ImageFile, answer
from service.log import request_log
from service.log.log_lines import OURS, configure_logging
from service.log.request_log import current_request_id, logged_request
from tests.support.embedded_metrics import embedded_metrics
from tests.support.images import encode
from tests.support.versions import LABELS, build_version
from tools.local_aws.gateway_events import http_api_event, rest_event

FUNCTION = "flying-objects-dev-classifier"


class Context:
    """What Lambda gives beside an event, as far as it is used."""

    aws_request_id = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"


@pytest.fixture(autouse=True)
def on_lambda(published: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)
    monkeypatch.setenv("METRICS_NAMESPACE", "flying-objects")
    monkeypatch.setattr(request_log, "_answered_before", False)
    serve(monkeypatch, SharedModel(published))


@pytest.fixture
def event(photo: bytes, tmp_path: Path) -> dict[str, Any]:
    """Document 002's request through a REST API."""
    (tmp_path / "the-secret-name.jpg").write_bytes(photo)
    return rest_event(tmp_path / "the-secret-name.jpg")


@pytest.fixture
def lambdas_logging() -> Iterator[None]:
    """Put back what the test changes of Python's logging."""
    root = logging.getLogger()
    before, levels = root.handlers, {name: logging.getLogger(name).level for name in OURS}
    yield
    root.handlers = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def serve(monkeypatch: pytest.MonkeyPatch, model: SharedModel) -> None:
    monkeypatch.setattr(handler, "app", handler.create_app(model))


class Loaded(SharedModel):
    """A model that is there already."""

    def __init__(self, model: Model) -> None:
        super().__init__("")
        self._model = model

    def get(self) -> Model:
        return self._model


def asked(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any], context: object = Context
) -> dict[str, Any]:
    """Return the one line that a request leaves in the log."""
    handler.lambda_handler(event, context)
    (line,) = capsys.readouterr().out.splitlines()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def send(event: dict[str, Any], *files: bytes) -> dict[str, Any]:
    form = MultipartEncoder([("f", (f"{i}.jpg", data)) for i, data in enumerate(files)])
    types = {"Content-Type": form.content_type}
    body = {"body": base64.b64encode(form.to_string()).decode(), "isBase64Encoded": True}
    return {**event, "headers": types, "multiValueHeaders": None, **body}


def test_a_request_leaves_one_line_that_says_what_happened(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any], published: str, photo: bytes
) -> None:
    line = asked(capsys, event)
    expected = load_model(published).classify(photo)
    assert line["request_id"] == Context.aws_request_id
    assert line["gateway_id"] == "JJbxmplHYosFVYQ="
    assert line["route"] == "POST /classify"
    assert line["status"] == 200
    assert (line["images"], line["refused"], line["bytes"]) == (1, 0, len(photo))
    assert line["pixels"] == 256 * 256
    assert (line["engine"], line["model"]) == ("torchscript", "flying-objects")
    assert line["version"] == json.loads(Path(published, "current.json").read_text())["version"]
    assert (line["label"], line["confidence"]) == (
        expected.label,
        pytest.approx(expected.confidence, abs=1e-4),
    )
    assert "error" not in line


def test_the_steps_take_no_longer_than_the_whole(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any]
) -> None:
    line = asked(capsys, event)
    steps = [line[f"{step}_ms"] for step in ("decode", "transform", "inference")]
    assert all(step >= 0 for step in steps)
    assert 0 < sum(steps) <= line["total_ms"]


def test_neither_the_pictures_name_nor_a_query_is_logged(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any]
) -> None:
    event["queryStringParameters"] = {"who": "the-secret-query"}
    event["multiValueQueryStringParameters"] = {"who": ["the-secret-query"]}
    event["headers"]["X-Api-Key"] = "the-secret-key"
    assert "secret" not in json.dumps(asked(capsys, event))
    event["path"] = "/the-secret-path"
    line = asked(capsys, event)
    assert "secret" not in json.dumps(line)
    assert (line["route"], line["status"], line["error"]) == (None, 404, "Not Found")


def test_what_a_refused_client_sent_is_not_quoted(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any]
) -> None:
    event["headers"] = {"Content-Type": "text/the-secret-type"}
    event.pop("multiValueHeaders")
    line = asked(capsys, event)
    assert (line["status"], line["error"]) == (415, "Unsupported content type")
    assert "secret" not in json.dumps(line)


def test_the_key_of_an_upload_is_not_logged(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any]
) -> None:
    event["headers"] = {"Content-Type": "application/json"}
    event.pop("multiValueHeaders")
    event |= {"body": '{"key": "incoming/the-secret-key"}', "isBase64Encoded": False}
    line = asked(capsys, event)
    assert (line["status"], line["error"]) == (404, "No such upload")
    assert "secret" not in json.dumps(line)


def test_only_the_first_request_of_a_process_is_a_cold_start(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any]
) -> None:
    assert [asked(capsys, event)["cold_start"] for _ in range(3)] == [True, False, False]


def test_a_process_that_was_kept_ready_has_no_cold_start(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency")
    assert asked(capsys, event)["cold_start"] is False


def test_several_pictures_are_summed_up_and_their_labels_listed(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any], photo: bytes
) -> None:
    line = asked(capsys, send(event, photo, b"no image", photo))
    assert (line["images"], line["refused"]) == (3, 1)
    assert line["bytes"] == 2 * len(photo) + len(b"no image")
    assert line["pixels"] == 2 * 256 * 256
    assert len(line["label"]) == len(line["confidence"]) == len(line["unknown"]) == 2
    metrics = embedded_metrics(line)
    assert metrics[f"flying-objects/labels label {line['label'][0]}"] == 2


def test_a_picture_too_many_is_counted_as_refused(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any], photo: bytes
) -> None:
    large = encode(Image.new("1", (6000, 5000)), "PNG")
    line = asked(capsys, send(event, large, large, photo))
    assert (line["images"], line["refused"]) == (3, 1)
    assert line["bytes"] == 2 * len(large) + len(photo)


def test_an_http_apis_request_is_logged_like_a_rest_apis(
    capsys: pytest.CaptureFixture[str], photo: bytes, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo)
    line = asked(capsys, http_api_event(tmp_path / "photo.jpg"))
    assert (line["route"], line["gateway_id"]) == ("POST /classify", "JKJaXmPLvHcESHA=")


@pytest.mark.parametrize(
    "event", [{}, [], None, {"requestContext": 5}, {"requestContext": {"requestId": 5}}], ids=str
)
def test_an_event_that_is_no_request_is_logged_too(
    capsys: pytest.CaptureFixture[str], event: Any
) -> None:
    line = asked(capsys, event, context=None)
    assert (line["route"], line["status"], line["error"]) == (None, 400, "Malformed request")
    assert (line["request_id"], line["gateway_id"]) == (None, None)


def test_every_metric_of_a_line_is_one_that_cloudwatch_takes(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any]
) -> None:
    line = asked(capsys, event)
    assert embedded_metrics(line) == {
        "flying-objects cold_starts": 1,
        "flying-objects errors_4xx": 0,
        "flying-objects errors_5xx": 0,
        "flying-objects total_ms": line["total_ms"],
        "flying-objects confidence": line["confidence"],
        "flying-objects unknown": 0,
        f"flying-objects/labels label {line['label']}": 1,
    }
    assert line["FunctionName"] == FUNCTION


def test_a_clients_mistake_and_ours_are_counted_apart(
    capsys: pytest.CaptureFixture[str],
    event: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    theirs = embedded_metrics(asked(capsys, send(event, b"no image")))
    assert (theirs["flying-objects errors_4xx"], theirs["flying-objects errors_5xx"]) == (1, 0)
    assert "flying-objects total_ms" not in theirs
    serve(monkeypatch, SharedModel(str(tmp_path)))
    handler.lambda_handler(event, Context)
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    ours = embedded_metrics(line)
    assert (ours["flying-objects errors_4xx"], ours["flying-objects errors_5xx"]) == (0, 1)
    assert (line["status"], line["error"]) == (503, "Model not available")


def test_what_is_not_recognised_counts_as_unknown_and_as_no_class(
    capsys: pytest.CaptureFixture[str],
    event: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    published: str,
) -> None:
    model = load_model(published)
    unsure = replace(model, metadata=replace(model.metadata, threshold=1.0))
    serve(monkeypatch, Loaded(unsure))
    line = asked(capsys, event)
    assert (line["label"], line["unknown"]) == ("unknown", 1)
    assert not [name for name in embedded_metrics(line) if "/labels" in name]


@pytest.mark.parametrize(
    ("labels", "counted"),
    [
        (("status", "status too"), True),  # a field of the line has that name
        (("鳥", "дрон"), True),
        (tuple(map(str, range(20))), True),
        (tuple(map(str, range(21))), False),
    ],
    ids=["a-field's-name", "other-scripts", "20-classes", "21-classes"],
)
def test_labels_are_counted_by_names_that_cloudwatch_takes_unless_they_are_many(
    capsys: pytest.CaptureFixture[str],
    event: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    labels: tuple[str, ...],
    counted: bool,
) -> None:
    build_version(tmp_path / "v", labels=labels)
    serve(monkeypatch, SharedModel(str(tmp_path / "v")))
    line = asked(capsys, event)
    assert line["label"] in labels
    assert line["status"] == 200
    found = [name for name in embedded_metrics(line) if "/labels" in name]
    assert len(found) == int(counted)


def test_without_a_namespace_there_is_a_line_but_no_metric(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_NAMESPACE", "")
    line = asked(capsys, event)
    assert line["label"] in LABELS
    assert "_aws" not in line
    assert "errors_4xx" not in line


def test_outside_of_lambda_nothing_is_written(
    capsys: pytest.CaptureFixture[str], event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
    handler.lambda_handler(event, Context)
    assert capsys.readouterr().out == ""


def test_whatever_else_is_logged_is_a_json_line_with_its_request(
    capsys: pytest.CaptureFixture[str],
    event: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    lambdas_logging: None,
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("on two\nlines")

    configure_logging(current_request_id)
    monkeypatch.setattr("handler.answer", fail)
    handler.lambda_handler(event, Context)
    logging.getLogger("model_loader.refresh").info("Version %s is served from now on", "7")
    logging.getLogger("botocore").info("Found credentials")
    error, request, news = map(json.loads, capsys.readouterr().out.splitlines())
    assert (error["level"], error["message"]) == ("ERROR", "Unexpected error")
    assert error["request_id"] == request["request_id"] == Context.aws_request_id
    assert error["exception"].endswith("RuntimeError: on two\nlines")
    assert "Traceback" in error["exception"]
    assert (request["status"], request["error"]) == (500, "Internal error")
    assert (news["level"], news["message"]) == ("INFO", "Version 7 is served from now on")
    assert news["logger"] == "model_loader.refresh"
    assert "request_id" not in news


def test_a_batch_writes_the_same_line_without_a_gateway(
    capsys: pytest.CaptureFixture[str], published: str, photo: bytes
) -> None:
    with logged_request("batch", "1") as entry:
        answer(load_model(published), ImageFile("key", None, photo))
        entry.status = 200
    line = json.loads(capsys.readouterr().out)
    assert (line["route"], line["request_id"], line["images"]) == ("batch", "1", 1)
    assert line["label"] in LABELS


def test_a_fault_that_nothing_catches_is_counted_as_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(RuntimeError), logged_request("batch"):
        raise RuntimeError
    line = json.loads(capsys.readouterr().out)
    assert (line["status"], line["errors_5xx"]) == (500, 1)
