"""Events to ask with, and whether what comes back is right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.functions import MODEL
from benchmarks.pictures import Picture
from benchmarks.rows import WrongAnswerError
from model_loader import EncodedImage, Model, load_model
from tools.local_aws.gateway_events import rest_event


def write_event(picture: Picture) -> Path:
    """Write the REST event that uploads a picture beside it; return its file."""
    path = picture.path.with_suffix(".json")
    if not path.is_file():
        path.write_text(json.dumps(rest_event(picture.path)))
    return path


def check(picture: Picture, response: Mapping[str, Any]) -> None:
    """Compare an answer with what the model says of the picture decoded whole.

    Raises:
        WrongAnswerError: It is no answer, or another class.
    """
    expected = f"That seems to be {_label(picture.path)}"
    body = json.loads(response["body"]) if response.get("statusCode") == 200 else {}
    if body.get("predicted") != expected:
        raise WrongAnswerError(
            f"The answer to the {picture.title} is {response}; it must say {expected!r}."
        )


@cache
def _label(path: Path) -> str:
    model = _model()
    return model.classify_decoded(EncodedImage.read(path.read_bytes()).decode()).label


@cache
def _model() -> Model:
    return load_model(str(MODEL), "onnx", threads=1)
