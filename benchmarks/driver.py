"""Runs in a function's own Python and process: calls its handler and says what that took.

    python -P driver.py MODULE CALLS EVENT…

Each EVENT is a JSON file of an API Gateway event. With `--bare PICTURE…`, one for each event, the
picture's decoding and the network's run are timed alone, in turn with the handler. The last line
of output is JSON. Imports nothing but the standard library and what the function itself imports.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import awslambdaric.bootstrap  # noqa: F401  the memory that it takes is the function's

_WARM_UP = 3
"""Calls before the clock runs: a TorchScript file's first two optimise it."""


class Context:
    """What Lambda tells a handler beside the event."""

    aws_request_id = "8f507cfc-0000-4697-b07a-ac58fc914c95"
    function_name = "classifier"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:classifier"
    memory_limit_in_mb = "1769"

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left until the timeout."""
        return 29_000


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("calls", type=int)
    parser.add_argument("events", type=Path, nargs="+")
    parser.add_argument("--bare", type=Path, nargs="+", default=[])
    args = parser.parse_args()

    handler = import_module(args.module).lambda_handler
    handler(_read(args.events[0]), Context())
    start = 1000 * time.process_time()
    first_peak = _peak_megabytes()
    answers = [handler(_read(path), Context()) for path in args.events]
    bare = [_bare_steps(path) for path in args.bare] or [{} for _ in args.events]
    measured = {
        "answers": answers,
        "start_cpu_ms": start,
        "ms": [
            _time({"handler": _asking(handler, _read(path)), **steps}, args.calls)
            for path, steps in zip(args.events, bare, strict=True)
        ],
        "first_peak_mb": first_peak,
        "peak_mb": _peak_megabytes(),
    }
    print()  # the function's own line may be unfinished
    print(json.dumps(measured))


def _read(event: Path) -> Any:
    """Read an event when it is sent: like Lambda, this process holds one at a time."""
    return json.loads(event.read_text())


def _asking(handler: Callable[[Any, Any], Any], event: Any) -> Callable[[], Any]:
    return lambda: handler(event, Context())


def _bare_steps(path: Path) -> dict[str, Callable[[], Any]]:
    """Return the two steps that no classifier can do without, by the code that serves."""
    from model_loader import EncodedImage, load_model

    data = path.read_bytes()
    model = load_model(os.environ["MODEL_URI"], os.environ["MODEL_ENGINE"])
    prepared = model.prepare(data)[None]
    transform, network = model.metadata.transform, model.network

    def decode() -> None:
        encoded = EncodedImage.read(data)
        encoded.decode(transform.needed_size(*encoded.size))

    return {"decode": decode, "network": lambda: network(prepared)}


def _time(steps: Mapping[str, Callable[[], Any]], calls: int) -> dict[str, list[float]]:
    """Return the milliseconds of each call, the steps in turn; "cpu" is the handler's processor."""
    times: dict[str, list[float]] = {name: [] for name in ("cpu", *steps)}
    for call in range(-_WARM_UP, calls):
        for name, step in steps.items():
            begin, cpu = time.perf_counter(), time.process_time()
            step()
            if call >= 0:
                times[name].append(1000 * (time.perf_counter() - begin))
            if call >= 0 and name == "handler":
                times["cpu"].append(1000 * (time.process_time() - cpu))
    return times


def _peak_megabytes() -> float:
    """Return the most memory that this process has had so far, resident, in 10^6 bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    main()
