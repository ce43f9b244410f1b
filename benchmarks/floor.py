"""What holds a cold start: the processor time of what no answer by ONNX Runtime can do without."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.functions import MODEL, onnx_zip
from benchmarks.measure import ROOT, run_json
from benchmarks.pictures import pictures
from benchmarks.rows import Options, Row, Series

_SCRIPT = ROOT / "benchmarks" / "bare_start.py"


def rows(options: Options) -> Iterator[Row]:
    """Measure the steps, each import alone, without any of our code."""
    function = onnx_zip(options)
    picture = pictures(options)[-1]
    (model,) = MODEL.glob("versions/*/model.onnx")
    environment = function.environment(Path(tempfile.mkdtemp(dir=options.work)))
    command: list[str | Path] = [*function.python, "-P", _SCRIPT, model, picture.path]
    measured = [run_json(command, env=environment, cpus=1) for _ in range(options.runs)]
    steps = [Series(step, "ms", tuple(one[step] for one in measured)) for step in measured[0]]
    whole = Series("all", "ms", tuple(sum(one.values()) for one in measured))
    yield Row(
        name="floor-start-onnx",
        figure="Processor time that no start with ONNX Runtime does without, 1 vCPU",
        result=whole.median,
        unit="ms",
        goal=None,
        series=[whole, *steps],
        notes=["no S3, no request, no self-test, none of our code"],
    )
