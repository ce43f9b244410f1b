"""The model that every function serves, in eight-bit numbers."""

from __future__ import annotations

from pathlib import Path

from benchmarks.labelled import labelled_folder
from benchmarks.rows import Options
from model_loader import load_model
from training.data.table import read_folder
from training.export.torchscript import int8_version
from training.published.publication import publish

_CALIBRATING, _SMOKE_CALIBRATING = 128, 8


def publish_int8_model(version: Path, store: Path, options: Options) -> None:
    """Publish an int8 version of a float32 one, as `python -m training export --int8` makes it.

    Whether its accuracy allows it is not asked here: what it takes is measured, not what it knows.
    """
    table = read_folder(labelled_folder(options))
    count = _SMOKE_CALIBRATING if options.smoke else _CALIBRATING
    model = load_model(str(version), "onnx")
    chosen = table.rows[:: max(1, len(table.rows) // count)][:count]
    images = [model.prepare((table.root / row.file).read_bytes()) for row in chosen]
    made = options.work / "int8-version"
    int8_version(version, made, images)
    publish(made, str(store))
