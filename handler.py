"""The HTTP service: its routes as a WSGI app, and the Lambda entry point.

Environment:
    MODEL_URI: ``s3://bucket/prefix/name``, or a local directory.
    MODEL_ENGINE: ``torchscript`` (the default) or ``onnx``.
    MODEL_REFRESH_SECONDS: Seconds until a warm process looks for another current version; 60 unless
        set, 0 for never.
    MODEL_SHA256: SHA-256 of the only ``model.json`` to serve; any unless set.
    INCOMING_URI: ``s3://bucket/folder`` for images too large for a request; none unless set.
    METRICS_NAMESPACE: Namespace of the metrics in the log; none unless set.
    API_GATEWAY_BASE_PATH: The base path of a custom domain's mapping; none unless set.
"""

from __future__ import annotations

from service import startup  # isort: skip; it loads the model while all else is imported

import json
from pathlib import Path
from typing import Any

import serverless_wsgi
from werkzeug.wrappers import Request, Response

from model_loader import ClassifierError, SharedModel
from service.answers import PROBLEM_TYPE, answer, answer_all
from service.json_bodies import read_upload_request
from service.lambda_events import checked_event, gateway_id, problem_response
from service.log.request_log import current, logged_request
from service.request_files import read_body, read_files
from service.uploads import NO_UPLOADS, Uploads
from service.web import App, json_response

PAGE = Path(__file__).parent / "service" / "page.html"
OPENAPI = Path(__file__).parent / "service" / "openapi.json"


def create_app(model: SharedModel, uploads: Uploads = NO_UPLOADS) -> App:
    """Return the WSGI app.

    Args:
        model: The model, loaded for the first request that needs it.
        uploads: Where large images are uploaded.
    """

    def classify(request: Request) -> Response:
        files = read_files(request, uploads)
        loaded = model.get()
        if len(files) == 1:
            return json_response(answer(loaded, files[0]))
        return json_response(answer_all(loaded, files))

    def begin_upload(request: Request) -> Response:
        media_type = read_upload_request(read_body(request, uploads))
        return json_response(uploads.begin(media_type), 201)

    def describe_model(_: Request) -> Response:
        loaded = model.get()
        return json_response({**loaded.metadata.describe(), "engine": loaded.engine})

    def describe_service(request: Request) -> Response:
        servers = [{"url": request.root_path or "/"}]  # the gateway's stage is part of the address
        return json_response({**json.loads(OPENAPI.read_bytes()), "servers": servers})

    def page(_: Request) -> Response:
        return Response(PAGE.read_bytes(), mimetype="text/html")

    def ping(_: Request) -> Response:
        return json_response({"status": "ok"})

    routes = {
        ("POST", "/classify"): classify,
        ("POST", "/uploads"): begin_upload,
        ("GET", "/model"): describe_model,
        ("GET", "/openapi.json"): describe_service,
        ("GET", "/ping"): ping,
        ("GET", "/"): page,
    }
    return App(routes)


serverless_wsgi.TEXT_MIME_TYPES.append(PROBLEM_TYPE)
app = create_app(startup.model, Uploads.from_environment())
startup.finish()


def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """Answer an HTTP event of API Gateway, a Function URL or a load balancer; never raise."""
    request_id = getattr(context, "aws_request_id", None)
    with logged_request(request_id=request_id, gateway_id=gateway_id(event)) as entry:
        response = _answer(event, context)
        entry.status = response["statusCode"]
    return response


def _answer(event: object, context: object) -> dict[str, Any]:
    try:
        checked = checked_event(event)
    except ClassifierError as error:
        current().error = error.title
        return problem_response(error, event)
    response: dict[str, Any] = serverless_wsgi.handle_request(app, checked, context)
    response.setdefault("isBase64Encoded", False)  # missing for no body; a load balancer needs it
    return response
