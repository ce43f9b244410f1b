"""One log line for each request, without the image, its name, its key or a query.

A request is answered inside ``with logged_request(…) as entry``; ``service.answers`` adds each
image and its prediction to the current entry. The status is set at the end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from model_loader import Model, Prediction
from service.log.log_lines import on_lambda, write_line
from service.log.metrics import metrics

_DIGITS = 4
_answered_before = False


@dataclass
class Entry:
    """The data of a request that is being answered.

    Attributes:
        request_id: Lambda's request id.
        gateway_id: API Gateway's request id, which its own log has.
        route: Method and path, as in "POST /classify"; None where there is no such route.
        status: HTTP status of the answer; 500 until there is one.
        error: The title of the problem that is the answer. The detail may quote what the client
            sent, and is not logged.
        images: Number of images.
        size: Size of all their files in bytes.
        predictions: Predictions for the images that could be classified, in order.
        model: The model that classified them.
    """

    request_id: str | None = None
    gateway_id: str | None = None
    route: str | None = None
    status: int = 500
    error: str | None = None
    images: int = 0
    size: int = 0
    predictions: list[Prediction] = field(default_factory=list)
    model: Model | None = None

    def note_image(self, data: bytes) -> None:
        """Count an image that is about to be classified."""
        self.images += 1
        self.size += len(data)

    def note_prediction(self, model: Model, prediction: Prediction) -> None:
        """Add the prediction for an image."""
        self.model = model
        self.predictions.append(prediction)


_current: ContextVar[Entry | None] = ContextVar("request", default=None)


def current() -> Entry:
    """Return the entry of the request that this thread answers, or an empty one."""
    return _current.get() or Entry()


def current_request_id() -> str | None:
    """Return Lambda's id of the request that this thread answers."""
    return current().request_id


@contextmanager
def logged_request(
    route: str | None = None, request_id: str | None = None, gateway_id: str | None = None
) -> Iterator[Entry]:
    """Write one line about the request that is answered inside the block (on Lambda).

    Args:
        route: See ``Entry``; for a route that is known beforehand.
        request_id: See ``Entry``.
        gateway_id: See ``Entry``.
    """
    begin = time.perf_counter()
    entry = Entry(request_id, gateway_id, route)
    token = _current.set(entry)
    try:
        yield entry
    finally:
        _current.reset(token)
        _write(entry, 1000 * (time.perf_counter() - begin))


def _write(entry: Entry, milliseconds: float) -> None:
    global _answered_before
    # A provisioned environment was started before its first request.
    is_ready = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency"
    is_cold, _answered_before = not (_answered_before or is_ready), True
    if on_lambda():
        line = _describe(entry, is_cold, milliseconds)
        write_line({**line, **metrics(entry.status, is_cold, entry.model, entry.predictions)})


def _describe(entry: Entry, is_cold: bool, milliseconds: float) -> dict[str, Any]:
    """Return the line; values of several images are summed or listed in order."""
    line: dict[str, Any] = {
        "request_id": entry.request_id,
        "gateway_id": entry.gateway_id,
        "cold_start": is_cold,
        "route": entry.route,
        "status": entry.status,
        "total_ms": round(milliseconds, 1),
    }
    if entry.error is not None:
        line["error"] = entry.error
    if entry.images:
        refused = entry.images - len(entry.predictions)
        line |= {"images": entry.images, "refused": refused, "bytes": entry.size}
    if entry.model is not None:
        line |= _describe_answers(entry.model, entry.predictions)
    return line


def _describe_answers(model: Model, predictions: list[Prediction]) -> dict[str, Any]:
    timings = [prediction.timings for prediction in predictions if prediction.timings]
    return {
        "pixels": sum(prediction.pixels or 0 for prediction in predictions),
        "decode_ms": round(sum(one.decode for one in timings), 1),
        "transform_ms": round(sum(one.transform for one in timings), 1),
        "inference_ms": round(sum(one.inference for one in timings), 1),
        "engine": model.engine,
        "model": model.metadata.name,
        "version": model.metadata.version,
        "label": _one_or_all([prediction.label for prediction in predictions]),
        "confidence": _one_or_all(
            [round(prediction.confidence, _DIGITS) for prediction in predictions]
        ),
    }


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
