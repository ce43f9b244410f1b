"""The JSON that a client gets: predictions and problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model_loader import (
    MAX_PIXELS,
    ClassifierError,
    EncodedImage,
    InputError,
    Metadata,
    Model,
    ModelNotFoundError,
    Prediction,
    TooLargeError,
    UnavailableError,
)
from service.log.request_log import current

PROBLEM_TYPE = "application/problem+json"
"""The media type of every error (RFC 9457)."""

KEY_FIELD = "key"
"""``file`` in the answer for an object of a bucket, which has no form field."""

OPERATOR = "The operator of the service finds the reason in its log. Try again later."
"""For errors that a client can do nothing about."""

_DIGITS = 4

# Minimum cost of each of several files, in pixels: opening it, and the network.
_LEAST_COST = 400_000


@dataclass(frozen=True)
class ImageFile:
    """A file to classify, from a request or a bucket.

    Attributes:
        field: The name of its form field, or what stands for one.
        filename: The name that the client gave it, or None.
        data: Its content.
    """

    field: str
    filename: str | None
    data: bytes


def answer(model: Model, file: ImageFile) -> dict[str, Any]:
    """Classify one file.

    Raises:
        InputError: The file cannot be classified.
    """
    current().note_image(file.data)
    return _answer(model, file, EncodedImage.read(file.data))


def answer_all(model: Model, files: Sequence[ImageFile]) -> dict[str, Any]:
    """Classify several files; a file that cannot be classified gets a problem in its place.

    Together they may have as many pixels as one file alone, or the request could exceed the gateway
    timeout.
    """
    answers = []
    left = MAX_PIXELS
    for file in files:
        current().note_image(file.data)
        try:
            image = EncodedImage.read(file.data)
            cost = max(image.cost, _LEAST_COST)
            if cost > left:
                raise TooLargeError(
                    f"With this file the request has more than {MAX_PIXELS / 1e6:.0f} million "
                    "pixels. Send it in another request."
                )
            left -= cost
            answers.append(_answer(model, file, image))
        except InputError as error:
            answers.append({"file": file.field, "filename": file.filename, **problem_of(error)})
    return {"predictions": answers}


def _answer(model: Model, file: ImageFile, image: EncodedImage) -> dict[str, Any]:
    prediction = model.classify(image)
    current().note_prediction(model, prediction)
    return {
        "file": file.field,
        **_describe(prediction, model.metadata),
        "filename": file.filename,
        "model": {"name": model.metadata.name, "version": model.metadata.version},
    }


def problem(status: int, title: str, detail: str) -> dict[str, Any]:
    """Return an error's JSON.

    Args:
        status: The HTTP status.
        title: The kind of problem, in a few words.
        detail: What happened, where, and how to fix it.
    """
    return {"title": title, "status": status, "detail": detail}


def problem_of(error: ClassifierError) -> dict[str, Any]:
    """Return the JSON of an error.

    Where the operator is to act, the error names settings and resources: those are for the log.
    """
    detail = str(error)
    if isinstance(error, ModelNotFoundError):
        detail = f"The service finds no model to answer with. {OPERATOR}"
    elif isinstance(error, UnavailableError):
        detail = f"The service cannot answer this request at present. {OPERATOR}"
    return problem(error.status, error.title, detail)


def _describe(prediction: Prediction, metadata: Metadata) -> dict[str, Any]:
    if prediction.confidence < metadata.threshold:  # a class may be called "unknown", too
        sentence = f"That doesn't look like any of: {', '.join(metadata.labels)}"
    else:
        sentence = f"That seems to be {prediction.label}"
    return {
        "predicted": sentence,
        "label": prediction.label,
        "confidence": round(prediction.confidence, _DIGITS),
        "scores": {label: round(score, _DIGITS) for label, score in prediction.scores.items()},
    }
