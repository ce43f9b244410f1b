"""The HTTP service: its routes as a WSGI app, and the Lambda entry point.

Environment:
    MODEL_URI: ``s3://bucket/prefix/name``, or a local directory.
    MODEL_ENGINE: ``torchscript`` (the default) or ``onnx``.
    MODEL_REFRESH_SECONDS: After so long a warm process asks whether another version is the current
        one; 60 unless set, 0 for never.
    MODEL_SHA256: Of the only ``model.json`` to serve; any unless set.
    INCOMING_URI: ``s3://bucket/folder`` for images too large for a request; none unless set.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import serverless_wsgi
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from model_loader import ClassifierError, SharedModel, UnavailableError
from service.answers import PROBLEM_TYPE, answer, answer_all, problem, problem_of
from service.documents import read_upload_wish
from service.incoming import NO_UPLOADS, Incoming
from service.lambda_events import checked_event, gateway_id, problem_response
from service.log_lines import configure_logging
from service.request_log import current, current_request_id, logged_request
from service.uploads import read_body, read_uploads
from service.warm_start import load_ahead

log = logging.getLogger(__name__)

ROUTES = (
    "POST /classify, POST /uploads, GET /model, GET /openapi.json (which describes all of it), "
    "GET /ping and GET / (a page to drop pictures on)"
)
ALLOWED_HEADERS = "Content-Type, Cache-Control, Authorization, X-Api-Key"
PAGE = Path(__file__).parent / "service" / "page.html"
OPENAPI = Path(__file__).parent / "service" / "openapi.json"


def create_app(model: SharedModel, incoming: Incoming = NO_UPLOADS) -> Flask:
    """Return the WSGI app.

    Args:
        model: What it answers with, loaded at the first need.
        incoming: Where large images are uploaded.
    """
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]

    @app.post("/classify")
    def classify() -> Response:
        uploads = read_uploads(request, incoming)
        loaded = model.get()
        if len(uploads) == 1:
            return jsonify(answer(loaded, uploads[0]))
        return jsonify(answer_all(loaded, uploads))

    @app.post("/uploads")
    def begin_upload() -> tuple[Response, int]:
        media_type = read_upload_wish(read_body(request, incoming))
        return jsonify(incoming.begin(media_type)), 201

    @app.get("/model")
    def describe_model() -> Response:
        loaded = model.get()
        return jsonify({**loaded.metadata.describe(), "engine": loaded.engine})

    @app.get("/openapi.json")
    def describe_service() -> Response:
        servers = [{"url": request.root_path or "/"}]  # the gateway's stage is part of the address
        return jsonify({**json.loads(OPENAPI.read_bytes()), "servers": servers})

    @app.get("/")
    def page() -> Response:
        return Response(PAGE.read_bytes(), mimetype="text/html")

    @app.get("/ping")
    def ping() -> Response:
        return jsonify({"status": "ok"})

    app.register_error_handler(ClassifierError, _on_classifier_error)
    app.register_error_handler(HTTPException, _on_http_exception)
    app.register_error_handler(Exception, _on_unexpected)
    app.before_request(_note_route)
    app.after_request(_allow_any_origin)
    return app


def _note_route() -> None:
    if request.url_rule is not None:
        current().route = f"{request.method} {request.url_rule.rule}"


def _on_classifier_error(error: ClassifierError) -> Response:
    response = _problem_response(problem_of(error))
    if isinstance(error, UnavailableError):
        log.error("%s: %s", error.title, error)
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _on_http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    detail = error.description or error.name
    if isinstance(error, NotFound):
        detail = f"There is no {request.path[:100]} here; there is {ROUTES}."
    elif isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        detail = f"{request.path} does not take {request.method}; it takes {allowed}."
    response = _problem_response(problem(status, error.name, detail))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _on_unexpected(error: Exception) -> Response:
    log.exception("Unexpected error", exc_info=error)
    detail = "Something went wrong here, not in your request. The log says what."
    return _problem_response(problem(500, "Internal error", detail))


def _problem_response(body: dict[str, Any]) -> Response:
    current().error = body["title"]
    response = jsonify(body)
    response.status_code = body["status"]
    response.mimetype = PROBLEM_TYPE
    return response


def _allow_any_origin(response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = "*"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
        response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        response.headers["Access-Control-Max-Age"] = "86400"
    return response


configure_logging(current_request_id)
serverless_wsgi.TEXT_MIME_TYPES.append(PROBLEM_TYPE)
model = SharedModel.from_environment()
load_ahead(model)
app = create_app(model, Incoming.from_environment())


def lambda_handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer an API Gateway event: REST (payload 1.0) or HTTP API (payload 2.0)."""
    request_id = getattr(context, "aws_request_id", None)
    with logged_request(request_id=request_id, gateway_id=gateway_id(event)) as entry:
        response = _answer(event, context)
        entry.status = response["statusCode"]
    return response


def _answer(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    try:
        checked = checked_event(event)
    except ClassifierError as error:
        current().error = error.title
        return problem_response(error)
    response: dict[str, Any] = serverless_wsgi.handle_request(app, checked, context)
    return response
