"""Classifying image files with an exported version."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from model_loader import InputError, Model, Prediction
from training.errors import TrainingError


def predict_files(model: Model, paths: Iterable[Path]) -> list[tuple[Path, Prediction]]:
    """Classify image files, in order.

    Raises:
        TrainingError: A file cannot be read or decoded.
    """
    return [(path, classify_file(model, path)) for path in paths]


def classify_file(model: Model, path: Path) -> Prediction:
    """Classify one image file.

    Raises:
        TrainingError: It cannot be read or decoded.
    """
    try:
        return model.classify(path.read_bytes())
    except OSError as error:
        raise TrainingError(f"The image {path} cannot be read: {error.strerror}.") from error
    except InputError as error:
        raise TrainingError(f"The image {path} cannot be used. {error}") from error
