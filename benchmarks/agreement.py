"""Whether decoding less of a picture, by another engine, changes the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.eager import Eager
from benchmarks.functions import MODEL
from benchmarks.pictures import drawings, photographs
from benchmarks.rows import Goal, Options, Row, Series, WrongAnswerError
from model_loader import EncodedImage, Model, load_model

GOALS = {"label": Goal(99.5), "probability": Goal(0.005, at_most=True)}
ENGINES = {"ONNX": "onnx", "TorchScript": "torchscript"}

_DRAWINGS = 400
_LEAST = 80.0
"""Percent of equal labels below which something is broken."""


def rows(options: Options) -> Iterator[Row]:
    """Compare every picture's answer with PyTorch's to the picture decoded whole."""
    files = _files(options)
    (version,) = (MODEL / "versions").iterdir()
    reference = _answers(Eager(version).probabilities, files)
    for name, engine in ENGINES.items():
        model = load_model(str(MODEL), engine, threads=1)
        ours = _answers(partial(_scores, model), files)
        same = 100 * float(np.mean(ours.argmax(1) == reference.argmax(1)))
        if same < _LEAST:
            raise WrongAnswerError(f"{name} agrees with PyTorch on {same:.1f} % of the pictures.")
        differences = np.abs(ours - reference).max(axis=1)
        is_smaller = np.array([_is_decoded_smaller(model, file.read_bytes()) for file in files])
        kind = "photographs" if options.data else "drawings"
        yield Row(
            name=f"agreement-label-{name.lower()}",
            figure=f"Same label as PyTorch, op by op, on the picture decoded whole, {name}",
            result=same,
            unit="%",
            goal=GOALS["label"] if options.data else None,
            series=[
                Series("of", kind, (len(files),)),
                Series("decoded smaller", "of them", (int(is_smaller.sum()),)),
            ],
        )
        yield Row(
            name=f"agreement-probability-{name.lower()}",
            figure=f"Largest difference of its probabilities, mean of the pictures, {name}",
            result=float(differences.mean()),
            unit="",
            goal=GOALS["probability"] if options.data else None,
            series=[
                Series("of", kind, (len(files),)),
                Series("worst", "", (float(differences.max()),)),
            ],
        )
        if is_smaller.any():
            yield Row(
                name=f"agreement-smaller-{name.lower()}",
                figure=f"Difference of probabilities, mean of those decoded smaller, {name}",
                result=float(differences[is_smaller].mean()),
                unit="",
                goal=GOALS["probability"] if options.data else None,
                series=[Series("of", kind, (int(is_smaller.sum()),))],
            )


def _files(options: Options) -> list[Path]:
    if options.data:
        found = photographs(options.data)
        return found[:: len(found) // 8] if options.smoke else found
    return drawings(options.work / "drawings", 8 if options.smoke else _DRAWINGS)


def _is_decoded_smaller(model: Model, data: bytes) -> bool:
    encoded = EncodedImage.read(data)
    needed = model.metadata.transform.needed_size(*encoded.size)
    return encoded.decode(needed).size != encoded.size


def _scores(model: Model, data: bytes) -> NDArray[np.float64]:
    return np.array([*model.classify(data).scores.values()])


def _answers(
    classify: Callable[[bytes], NDArray[np.float64]], files: list[Path]
) -> NDArray[np.float64]:
    return np.stack([classify(file.read_bytes()) for file in files])
