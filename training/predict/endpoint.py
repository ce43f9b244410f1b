"""Answering by a deployed service, over HTTP."""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests_toolbelt import MultipartEncoder

from model_loader import MAX_REQUEST_BYTES, InputError, Prediction
from training.errors import TrainingError
from training.output.terminal import visible
from training.parallel import in_order
from training.predict.exchange import UnreachableError, problem, send
from training.predict.large_images import UploadError, ask_by_upload
from training.predict.questions import Answer, Question, reason
from training.predict.retries import Retries
from training.predict.upload_bars import UploadBars

_FIELD = "file1"
_LONGEST_NAME = 255  # characters of a file's name that the service takes
_LOST = 8
"""Consecutive requests without a response, after which the service counts as gone."""

AT_ONCE = 4
"""Requests that are under way at the same time."""

RETRIES = 4
"""The number of times a request is repeated when the service is busy or unreachable."""

KEY_VARIABLE = "CLASSIFY_API_KEY"
"""The environment variable for the key of an endpoint that asks for one."""


class Endpoint:
    """A service that answers ``POST /classify``, asked about several images at a time.

    Images too large for a request go through the service's storage.
    """

    def __init__(
        self,
        address: str,
        key: str | None = None,
        at_once: int = AT_ONCE,
        retries: int = RETRIES,
        signature: AuthBase | None = None,
        bars: UploadBars | None = None,
    ) -> None:
        """Ask the service which model it has.

        Args:
            address: ``https://….amazonaws.com/dev``, with or without ``/classify``.
            key: Sent as ``x-api-key``.
            at_once: Requests that are under way at the same time.
            retries: Number of retries where the service is busy or unreachable.
            signature: Signs each request.
            bars: Shows the progress of uploads; None for none.

        Raises:
            TrainingError: The address is not valid, nobody answers there, or it has no model.
        """
        self._base = base_address(address)
        self._bars = bars or UploadBars(is_shown=False)
        self._at_once = at_once
        self._retries = Retries.times(retries)
        self._session = self._open_session()
        if key:
            self._session.headers["x-api-key"] = key
        self._session.auth = signature
        self._storage = self._open_session()
        try:
            self.title, self.labels = self._describe()
        except TrainingError:
            self._session.close()
            raise

    def _open_session(self) -> requests.Session:
        session = requests.Session()
        adapter = HTTPAdapter(max_retries=self._retries, pool_maxsize=self._at_once)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session

    def answers(self, questions: Iterable[Question]) -> Generator[Answer, None, None]:
        """Answer questions in order.

        Raises:
            TrainingError: The service went away: several in a row found nobody.
        """
        lost = 0
        with self._session, self._storage, ThreadPoolExecutor(self._at_once) as pool:
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
                self._retries.stopped.set()  # or the pool would wait for those that wait
                raise

    def _ask(self, question: Question) -> tuple[Answer, bool]:
        """Return the answer, and whether the service gave one of any kind."""
        try:
            with question.open() as file:
                response = self._classify(question.name, file)
        except (OSError, InputError) as error:
            return Answer(question.name, None, reason(error)), True
        except UnreachableError as error:
            return Answer(question.name, None, str(error)), False
        except UploadError as error:
            return Answer(question.name, None, str(error)), True
        if response.status_code != requests.codes.ok:
            return Answer(question.name, None, problem(response)), True
        try:
            return Answer(question.name, _prediction(response.json())), True
        except (ValueError, TypeError, KeyError, AttributeError):
            return Answer(question.name, None, _not_ours(response)), True

    def _classify(self, name: str, file: BinaryIO) -> requests.Response:
        form = MultipartEncoder({_FIELD: (sent_name(name), file, "application/octet-stream")})
        if form.len > MAX_REQUEST_BYTES:
            with self._bars.upload(name) as sent:
                return ask_by_upload(self._post_json, self._storage, file, sent)
        # As bytes: a signature is of all of them.
        return self._post("/classify", form.to_string(), form.content_type)

    def _post_json(self, path: str, document: Mapping[str, Any]) -> requests.Response:
        return self._post(path, json.dumps(document).encode(), "application/json")

    def _post(self, path: str, body: bytes, content_type: str) -> requests.Response:
        headers = {"Content-Type": content_type}
        return send(self._session, "POST", self._base + path, body, headers)

    def _describe(self) -> tuple[str, tuple[str, ...]]:
        try:
            response = send(self._session, "GET", self._base + "/model")
        except UnreachableError as error:
            raise TrainingError(
                f"Nobody answers at {self._base}: {error} Compare the address with the one that "
                "`npx osls info` prints."
            ) from error
        if response.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise TrainingError(
                f"{self._base} denied access: {problem(response)} If it asks for a key, "
                f"put it into the environment variable {KEY_VARIABLE}; if for a signature, "
                "give --sign."
            )
        if response.status_code != requests.codes.ok:
            raise TrainingError(f"{self._base} cannot answer: {problem(response)}")
        try:
            model = response.json()
            labels = tuple(map(str, model["labels"]))
            return f"{model['name']} {model['version']} at {self._base}", labels
        except (ValueError, TypeError, KeyError) as error:
            raise TrainingError(
                f"{self._base}: {_not_ours(response)} The address ends in the stage, as in "
                "https://….amazonaws.com/dev."
            ) from error


def sent_name(name: str) -> str:
    """Return the file name for a request: without folders, and not too long."""
    last = visible(PurePath(name).name)[-_LONGEST_NAME:]
    return last.replace("\\", r"\\")  # a form's backslash escapes what follows


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


def _not_ours(response: requests.Response) -> str:
    kind = response.headers.get("content-type", "no content type").split(";")[0]
    return f"What came back ({kind}) is not the answer of a classifier that this project deploys."
