"""A function's handler called in a process of its own, without the emulator."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.functions import MODEL, Function
from benchmarks.images import ImageFile
from benchmarks.measure import ROOT, on_one_cpu, run_process
from benchmarks.rows import Options, WrongAnswerError
from model_loader import EncodedImage, load_model
from tools.local_aws.gateway_events import rest_event

_DRIVER = ROOT / "benchmarks" / "driver.py"


def drive(
    function: Function,
    images: Sequence[ImageFile],
    calls: int,
    options: Options,
    bare: bool = False,
) -> dict[str, Any]:
    """Start a function in a new process, on one processor, and have it answer each image.

    It is called `calls` times for each, one image after the other. If `bare`, the image's decoding
    and the network's run are timed alone, too.

    Returns:
        "ms": for each image the milliseconds of every call, of "handler" and, if `bare`, of
        "decode" and "network"; "peak_mb": the peak of its memory, 10^6 bytes.

    Raises:
        WrongAnswerError: It answers another class.
    """
    command: list[str | Path] = [*on_one_cpu(), *function.python, "-P", _DRIVER]
    command += [function.module, str(calls), *map(event_file, images)]
    command += ["--bare", *[image.path for image in images]] if bare else []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        result = run_process(command, function.environment(Path(folder)), Path(folder)).result
    for image, answer in zip(images, result["answers"], strict=True):
        check(image, answer)
    return result


def event_file(image: ImageFile) -> Path:
    """Write the REST event that uploads an image beside it; return its file."""
    path = image.path.with_suffix(".json")
    if not path.is_file():
        path.write_text(json.dumps(rest_event(image.path)))
    return path


def check(image: ImageFile, response: Mapping[str, Any]) -> None:
    """Compare an answer with the model's to the image decoded whole.

    Raises:
        WrongAnswerError: It is an error, or another class.
    """
    expected = f"That seems to be {_label(image.path)}"
    body = json.loads(response["body"]) if response.get("statusCode") == 200 else {}
    if body.get("predicted") != expected:
        raise WrongAnswerError(
            f"The answer to the {image.title} is {response}; it must say {expected!r}."
        )


@cache
def _label(path: Path) -> str:
    model = load_model(str(MODEL), "onnx", threads=1)
    return model.classify_decoded(EncodedImage.read(path.read_bytes()).decode()).label
