"""The JSON that a client gets: predictions and problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_loader import (
    MAX_PIXELS,
    ClassifierError,
    InputError,
    Metadata,
    Model,
    Prediction,
    TooLargeError,
    count_pixels,
)
from service.request_log import current
from service.upload import Upload

PROBLEM_TYPE = "application/problem+json"
"""The media type of every error (RFC 9457)."""

_DIGITS = 4


def answer(model: Model, upload: Upload) -> dict[str, Any]:
    """Classify one file.

    Raises:
        InputError: The file cannot be classified.
    """
    entry = current()
    entry.note_image(upload.data)
    prediction = model.classify(upload.data)
    entry.note_prediction(model, prediction)
    return {
        "file": upload.field,
        **_describe(prediction, model.metadata),
        "filename": upload.filename,
        "model": {"name": model.metadata.name, "version": model.metadata.version},
    }


def answer_all(model: Model, uploads: Sequence[Upload]) -> dict[str, Any]:
    """Classify several files: what is wrong with one stands in its place.

    Together they may have as many pixels as one alone, or a small request could outlast the
    gateway's patience.
    """
    answers = []
    left = MAX_PIXELS
    for upload in uploads:
        pixels = count_pixels(upload.data)
        try:
            if left < pixels <= MAX_PIXELS:
                current().note_image(upload.data)
                raise TooLargeError(
                    f"With this file the request has more than {MAX_PIXELS / 1e6:.0f} million "
                    "pixels. Send it in another request."
                )
            if pixels <= MAX_PIXELS:  # a damaged one may take as long as a whole one
                left -= pixels
            answers.append(answer(model, upload))
        except InputError as error:
            answers.append({"file": upload.field, "filename": upload.filename, **problem_of(error)})
    return {"predictions": answers}


def problem(status: int, title: str, detail: str) -> dict[str, Any]:
    """Return an error's JSON.

    Args:
        status: The HTTP status.
        title: The kind of problem, in a few words.
        detail: What happened, where, and how to mend it.
    """
    return {"title": title, "status": status, "detail": detail}


def problem_of(error: ClassifierError) -> dict[str, Any]:
    """Return the JSON of an error of ours."""
    return problem(error.status, error.title, str(error))


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
