"""Runs in a function's own Python and process: calls its handler and measures time and memory.

    python -P driver.py MODULE CALLS EVENT…

Each EVENT is a JSON file of an API Gateway event. With `--bare IMAGE…`, one for each event, the
image's decoding and the network's run are timed alone, in turn with the handler. The last line of
output is JSON. Imports nothing but the standard library and what the function itself imports.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import awslambdaric.bootstrap  # noqa: F401  its memory is part of a function's

_WARM_UP = 3  # calls that are not counted: a TorchScript file's first two optimise it


CONTEXT = SimpleNamespace(aws_request_id="8f507cfc-0000-4697-b07a-ac58fc914c95")


def main() -> None:
    """Run the command line."""
    module, calls, *files = sys.argv[1:]
    middle = files.index("--bare") if "--bare" in files else len(files)
    events, images = [*map(Path, files[:middle])], [*map(Path, files[middle + 1 :])]
    handler = import_module(module).lambda_handler

    answers = [_asking(handler, path)() for path in events]
    bare = [_bare_steps(path) for path in images] or [{} for _ in events]
    times = [
        _time({"handler": _asking(handler, path), **steps}, int(calls))
        for path, steps in zip(events, bare, strict=True)
    ]
    print()  # the function's own line may be unfinished
    print(json.dumps({"answers": answers, "ms": times, "peak_mb": _peak_megabytes()}))


def _asking(handler: Callable[[Any, Any], Any], path: Path) -> Callable[[], Any]:
    event = json.loads(path.read_text())
    return lambda: handler(event, CONTEXT)


def _bare_steps(path: Path) -> dict[str, Callable[[], Any]]:
    """Return the two steps that no classifier can do without, by the code that serves."""
    from model_loader import EncodedImage, load_model

    data = path.read_bytes()
    model = load_model(os.environ["MODEL_URI"], os.environ["MODEL_ENGINE"])
    prepared = model.prepare(data)[None]

    def decode() -> None:
        encoded = EncodedImage.read(data)
        encoded.decode(model.metadata.transform.needed_size(*encoded.size))

    return {"decode": decode, "network": lambda: model.network(prepared)}


def _time(steps: Mapping[str, Callable[[], Any]], calls: int) -> dict[str, list[float]]:
    """Return the milliseconds of each call, the steps in turn."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for call in range(-_WARM_UP, calls):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            if call >= 0:
                times[name].append(1000 * (time.perf_counter() - begin))
    return times


def _peak_megabytes() -> float:
    """Return the peak of this process's resident memory, in 10^6 bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    main()
