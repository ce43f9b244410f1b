"""What holds a cold start: the processor time of what no answer by ONNX Runtime can do without."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.driven import drive
from benchmarks.functions import MODEL, Function, onnx_zip
from benchmarks.measure import ROOT, alternate, run_json
from benchmarks.pictures import Picture, pictures
from benchmarks.rows import Options, Row, Series

_SCRIPT = ROOT / "benchmarks" / "bare_start.py"
_OURS, _BARE = "ours", "bare"


def rows(options: Options) -> Iterator[Row]:
    """Measure the bare steps, each import alone, and in turn with them our whole start."""
    function = onnx_zip(options)
    picture = pictures(options)[-1]
    sides = {
        _BARE: partial(_bare, function, picture, options),
        _OURS: partial(_ours, function, picture, options),
    }
    measured = alternate(sides, options.runs)
    steps = [*measured[_BARE][0]]
    each = [Series(step, "ms", tuple(one[step] for one in measured[_BARE])) for step in steps]
    bare, ours = (
        Series(side, "ms", tuple(sum(one.values()) for one in measured[side])) for side in sides
    )
    yield Row(
        name="floor-start-onnx",
        figure="Processor time of what no start with ONNX Runtime does without, of our start's, "
        "1 vCPU",
        result=100 * bare.median / ours.median,
        unit="%",
        goal=None,
        series=[ours, bare, *each],
        notes=["bare: no S3, no request, no self-test, none of our code"],
    )


def _bare(function: Function, picture: Picture, options: Options) -> dict[str, float]:
    """Return the milliseconds of each step."""
    (model,) = MODEL.glob("versions/*/model.onnx")
    environment = function.environment(Path(tempfile.mkdtemp(dir=options.work)))
    command: list[str | Path] = [*function.python, "-P", _SCRIPT, model, picture.path]
    took: dict[str, float] = run_json(command, env=environment, cpus=1)
    return took


def _ours(function: Function, picture: Picture, options: Options) -> dict[str, float]:
    return {_OURS: drive(function, (picture,), 1, options).start_cpu}
