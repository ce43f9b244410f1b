"""The WSGI application: finds the view of a request and turns errors into responses.

Werkzeug parses and writes. Its routing, or a framework on top of it, would be imported at every
cold start, to look up a handful of paths.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.wrappers import Request, Response

from model_loader import ClassifierError, UnavailableError
from service.answers import OPERATOR, PROBLEM_TYPE, problem, problem_of
from service.log.request_log import current

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

ALLOWED_HEADERS = (
    "Content-Type, Cache-Control, Authorization, X-Api-Key, X-Amz-Date, X-Amz-Security-Token, "
    "X-Requested-With"
)

View = Callable[[Request], Response]
"""Answers the requests of a route; it may raise any ``ClassifierError``."""


class App:
    """A WSGI application that answers every error in the same shape."""

    def __init__(self, routes: Mapping[tuple[str, str], View]) -> None:
        """Make the application.

        Args:
            routes: The view of each (method, path); HEAD and OPTIONS are added.
        """
        self.routes = dict(routes)
        self.listed = _list_routes(routes)
        for (method, path), view in routes.items():
            self.routes["OPTIONS", path] = self._preflight
            if method == "GET":
                self.routes["HEAD", path] = view

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (WSGI)."""
        # populate_request=False avoids a reference cycle, so the body is freed at once.
        request = Request(environ, populate_request=False)
        response = self._respond(request)
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        try:
            view = self._view(request)
            current().route = f"{request.method} {request.path}"
            response = view(request)
        except ClassifierError as error:
            response = _on_classifier_error(error)
        except NotFound as error:
            detail = f"There is no {request.path[:100]} here. The routes are {self.listed}."
            response = _problem_response(problem(404, error.name, detail))
        except HTTPException as error:
            response = _on_http_exception(error, request)
        except Exception as error:
            log.exception("Unexpected error", exc_info=error)
            detail = f"Something went wrong here, not in your request. {OPERATOR}"
            response = _problem_response(problem(500, "Internal error", detail))
        return response

    def _view(self, request: Request) -> View:
        """Return the view of a request.

        Raises:
            NotFound: No route has this path.
            MethodNotAllowed: No route has this path and this method.
        """
        methods = self._methods(request.path)
        if not methods:
            raise NotFound
        if request.method not in methods:
            raise MethodNotAllowed(methods)
        return self.routes[request.method, request.path]

    def _methods(self, path: str) -> list[str]:
        return sorted(method for method, known in self.routes if known == path)

    def _preflight(self, request: Request) -> Response:
        """Tell a browser what its script may send."""
        allowed = ", ".join(self._methods(request.path))
        return Response(
            headers={
                "Allow": allowed,
                "Access-Control-Allow-Methods": allowed,
                "Access-Control-Allow-Headers": ALLOWED_HEADERS,
                "Access-Control-Max-Age": "86400",
            }
        )


def _list_routes(routes: Iterable[tuple[str, str]]) -> str:
    """Return the routes as part of a sentence, with a hint for those that explain the others."""
    hints = {"/openapi.json": " (which describes all of it)", "/": " (a page to drop images on)"}
    *first, last = (f"{method} {path}{hints.get(path, '')}" for method, path in routes)
    return f"{', '.join(first)} and {last}"


def json_response(body: Mapping[str, Any], status: int = 200) -> Response:
    """Return JSON in the order of its keys."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(f"{text}\n", status, mimetype="application/json")


def _on_classifier_error(error: ClassifierError) -> Response:
    response = _problem_response(problem_of(error))
    if isinstance(error, UnavailableError):
        log.error("%s: %s", error.title, error)
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _on_http_exception(error: HTTPException, request: Request) -> Response:
    detail = error.description or error.name
    allowed = ""
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(error.valid_methods or ())
        detail = f"{request.path} does not take {request.method}; it takes {allowed}."
    response = _problem_response(problem(error.code or 500, error.name, detail))
    if allowed:
        response.headers["Allow"] = allowed
    return response


def _problem_response(body: Mapping[str, Any]) -> Response:
    current().error = body["title"]
    response = json_response(body, body["status"])
    response.mimetype = PROBLEM_TYPE
    return response
