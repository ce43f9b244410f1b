"""serve.py: the command line that `make serve` uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "serve.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(
    "arguments",
    [(), ("",), ("x",), ("80.5",), ("65536",), ("9" * 5000,), ("٣",), ("8000", "8001"), ("-1",)],
    ids=lambda arguments: " ".join(arguments)[:9],
)
def test_anything_but_one_port_prints_the_usage(arguments: tuple[str, ...]) -> None:
    done = serve(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: serve.py [-h] port\n")
    assert "Traceback" not in done.stderr


def test_help_says_what_the_port_is() -> None:
    assert "0 to 65535" in serve("--help").stdout
