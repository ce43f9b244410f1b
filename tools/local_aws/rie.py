"""Lambda's Runtime Interface Emulator, around the function as Lambda would start it."""

from __future__ import annotations

import json
import os
import socket
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.local_aws.install import (
    OWN_RUNTIME,
    PYTHON,
    RIE,
    ROOT,
    RUNTIME,
    runtime_client,
)
from tools.local_aws.process import free_port, running

_INVOKE_SECONDS = 120


@dataclass(frozen=True)
class Emulator:
    """A function that waits for events."""

    port: int

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return what the handler answers to an event."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations",
            data=json.dumps(event).encode(),
        )
        with urllib.request.urlopen(request, timeout=_INVOKE_SECONDS) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


@contextmanager
def run_package(package: Path, folder: Path, settings: dict[str, str]) -> Iterator[Emulator]:
    """Run an unzipped package: `-S` hides the site-packages, so that it must bring all it needs."""
    path = f"{package}{os.pathsep}{runtime_client(RUNTIME)}"
    with run_function([PYTHON, "-S"], path, package, folder, settings) as emulator:
        yield emulator


@contextmanager
def run_checkout(folder: Path, settings: dict[str, str]) -> Iterator[Emulator]:
    """Run the checkout's handler in the virtual environment of the tests."""
    path = f"{ROOT}{os.pathsep}{runtime_client(OWN_RUNTIME)}"
    settings = {"PYTHONDONTWRITEBYTECODE": "1", **settings}
    with run_function([sys.executable], path, ROOT, folder, settings) as emulator:
        yield emulator


@contextmanager
def run_function(
    python: Sequence[str],
    path: str,
    code: Path,
    folder: Path,
    settings: dict[str, str],
    handler: str = "handler.lambda_handler",
) -> Iterator[Emulator]:
    """Run a function, which starts with the first event.

    Args:
        python: The interpreter with its options.
        path: Where it finds modules, Lambda's runtime client among them.
        code: Its working folder.
        folder: Its home and temporary folder; `emulator.log` there gets what it says.
        settings: Its environment beside that.
        handler: The module and the function that answers.
    """
    port = free_port()
    emulator: list[str | Path] = [RIE, "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    emulator += ["--runtime-api-address", f"127.0.0.1:{free_port()}"]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": path,
        **settings,
    }
    with running(
        [*emulator, *python, "-m", "awslambdaric", handler],
        env=env,
        cwd=code,
        log=folder / "emulator.log",
        is_ready=lambda: listens(port),
    ):
        yield Emulator(port)


def listens(port: int) -> bool:
    """Return whether something listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
