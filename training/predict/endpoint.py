"""Answering by a deployed service, over HTTP."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests_toolbelt import MultipartEncoder

from model_loader import InputError, Prediction
from training.errors import TrainingError
from training.in_order import in_order
from training.predict.patience import Patience
from training.predict.questions import Answer, Question, reason

_FIELD = "file1"
_TIMEOUT = (10, 35)
"""Seconds to connect, and to wait for an answer: the gateway gives up after 29."""

_LOST = 8
"""Questions in a row that nobody took, after which the service counts as gone."""

KEY_VARIABLE = "CLASSIFY_API_KEY"
"""The environment variable for the key of an endpoint that asks for one."""


class _UnreachableError(Exception):
    """Nobody took the request; the message says why."""


class Endpoint:
    """A service that answers ``POST /classify``, asked about several images at a time."""

    def __init__(
        self,
        address: str,
        key: str | None = None,
        at_once: int = 4,
        retries: int = 4,
        signature: AuthBase | None = None,
    ) -> None:
        """Ask the service which model it has.

        Args:
            address: ``https://….amazonaws.com/dev``, with or without ``/classify``.
            key: Sent as ``x-api-key``.
            at_once: Requests that are under way at the same time.
            retries: How often a request is repeated that finds the service busy or away.
            signature: Signs each request.

        Raises:
            TrainingError: The address is none, nobody answers there, or it has no model.
        """
        self._base = base_address(address)
        self._at_once = at_once
        self._patience = Patience.times(retries)
        self._session = requests.Session()
        if key:
            self._session.headers["x-api-key"] = key
        self._session.auth = signature
        adapter = HTTPAdapter(max_retries=self._patience, pool_maxsize=at_once)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        try:
            self.title, self.labels = self._describe()
        except TrainingError:
            self._session.close()
            raise

    def answers(self, questions: Iterable[Question]) -> Generator[Answer, None, None]:
        """Answer questions in order.

        Raises:
            TrainingError: The service went away: several in a row found nobody.
        """
        lost = 0
        with self._session, ThreadPoolExecutor(self._at_once) as pool:
            try:
                for answer, reached in in_order(pool, self._ask, questions, self._at_once):
                    yield answer
                    lost = 0 if reached else lost + 1
                    if lost == _LOST:
                        raise TrainingError(
                            f"Nobody answers at {self._base} any more: {answer.error} Run it "
                            "again with the images that are left."
                        )
            except BaseException:
                self._patience.stopped.set()  # or the pool would wait for those that wait
                raise

    def _ask(self, question: Question) -> tuple[Answer, bool]:
        """Return the answer, and whether the service gave one of any kind."""
        try:
            data = question.data()
        except (OSError, InputError) as error:
            return Answer(question.name, None, reason(error)), True
        # As bytes: a stream could be sent only once, and not again after a failure.
        form = MultipartEncoder({_FIELD: (question.name, data, "application/octet-stream")})
        try:
            response = self._send(
                "POST", "/classify", form.to_string(), {"Content-Type": form.content_type}
            )
        except _UnreachableError as error:
            return Answer(question.name, None, str(error)), False
        if response.status_code != requests.codes.ok:
            return Answer(question.name, None, _problem(response)), True
        try:
            return Answer(question.name, _prediction(response.json())), True
        except (ValueError, TypeError, KeyError, AttributeError):
            return Answer(question.name, None, _not_ours(response)), True

    def _describe(self) -> tuple[str, tuple[str, ...]]:
        try:
            response = self._send("GET", "/model")
        except _UnreachableError as error:
            raise TrainingError(
                f"Nobody answers at {self._base}: {error} Compare the address with the one that "
                "`npx osls info` prints."
            ) from error
        if response.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise TrainingError(
                f"{self._base} does not let this in: {_problem(response)} If it asks for a key, "
                f"put it into the environment variable {KEY_VARIABLE}; if for a signature, "
                "give --sign."
            )
        if response.status_code != requests.codes.ok:
            raise TrainingError(f"{self._base} cannot answer: {_problem(response)}")
        try:
            model = response.json()
            labels = tuple(map(str, model["labels"]))
            return f"{model['name']} {model['version']} at {self._base}", labels
        except (ValueError, TypeError, KeyError) as error:
            raise TrainingError(
                f"{self._base}: {_not_ours(response)} The address ends in the stage, as in "
                "https://….amazonaws.com/dev."
            ) from error

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                self._base + path,
                data=body,
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,  # requests would take the key along to any other host
            )
        except requests.RequestException as error:
            raise _UnreachableError(_why(error)) from error


def base_address(address: str) -> str:
    """Return where the routes of a service begin.

    Raises:
        TrainingError: It is no address of this kind.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TrainingError(
            f"--endpoint {address} is no address of a service. It looks like "
            "https://….execute-api.REGION.amazonaws.com/dev; `npx osls info` prints it."
        )
    path = parts.path.rstrip("/").removesuffix("/classify").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _prediction(document: Mapping[str, Any]) -> Prediction:
    scores = {str(label): float(score) for label, score in document["scores"].items()}
    confidence = float(document["confidence"])
    if not math.isfinite(confidence) or not scores:
        raise ValueError("no figures")
    return Prediction(str(document["label"]), confidence, scores)


def _problem(response: requests.Response) -> str:
    """Return what an error's JSON says, be it the service's or the gateway's own."""
    try:
        document = response.json()
        said = str(document.get("detail") or document.get("message") or document["title"])
    except (ValueError, KeyError, AttributeError):
        said = response.reason or "no reason is given"
        if response.is_redirect:
            said = f"it leads to {response.headers['location']}: give that address"
    return f"{said.rstrip('.')} (HTTP {response.status_code})."


def _not_ours(response: requests.Response) -> str:
    kind = response.headers.get("content-type", "no content type").split(";")[0]
    return f"What came back ({kind}) is not the answer of a classifier that this project deploys."


def _why(error: requests.RequestException) -> str:
    """Say why nobody took a request, without the library's own wrapping."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"Its certificate is not accepted ({_innermost(error)})."
    if isinstance(error, requests.exceptions.ProxyError):
        return f"The proxy of this machine's settings fails ({_innermost(error)})."
    if isinstance(error, requests.Timeout):
        return f"There was no answer within {_TIMEOUT[1]} s."
    return f"The connection failed ({_innermost(error)})."


def _innermost(error: BaseException) -> str:
    """Return what the system or the peer said, from below the layers that wrap it."""
    while inner := getattr(error, "reason", None) or error.__cause__ or _wrapped(error):
        if not isinstance(inner, BaseException):
            break
        error = inner
    said = error.strerror if isinstance(error, OSError) else None
    return (said or str(error) or type(error).__name__).rstrip(".")


def _wrapped(error: BaseException) -> BaseException | None:
    return next((value for value in error.args if isinstance(value, BaseException)), None)
