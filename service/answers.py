"""The JSON that a client gets: predictions and problems."""

from __future__ import annotations

from typing import Any

from model_loader import UNKNOWN, ClassifierError, InputError, Metadata, Model, Prediction
from service.uploads import Upload

PROBLEM_TYPE = "application/problem+json"
"""The media type of every error (RFC 9457)."""

_DIGITS = 4


def answer(model: Model, upload: Upload) -> dict[str, Any]:
    """Classify one file.

    Raises:
        InputError: The file cannot be classified.
    """
    return {
        "file": upload.field,
        **_describe(model.classify(upload.data), model.metadata),
        "filename": upload.filename,
        "model": {"name": model.metadata.name, "version": model.metadata.version},
    }


def answer_or_problem(model: Model, upload: Upload) -> dict[str, Any]:
    """Classify one file of several: what is wrong with it stands in its place."""
    try:
        return answer(model, upload)
    except InputError as error:
        return {"file": upload.field, "filename": upload.filename, **problem_of(error)}


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
    if prediction.label == UNKNOWN:
        sentence = f"That doesn't look like any of: {', '.join(metadata.labels)}"
    else:
        sentence = f"That seems to be {prediction.label}"
    return {
        "predicted": sentence,
        "label": prediction.label,
        "confidence": round(prediction.confidence, _DIGITS),
        "scores": {label: round(score, _DIGITS) for label, score in prediction.scores.items()},
    }
