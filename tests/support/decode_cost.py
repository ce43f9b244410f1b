"""Decode the file on standard input in a process of its own, and say what that took, as JSON.

The peak is that of the process's memory, in MB, above what it had before. Linux.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from model_loader import ClassifierError, EncodedImage


@dataclass(frozen=True)
class Cost:
    """What decoding a file took.

    Attributes:
        outcome: "decoded", or the name of the error's class.
        seconds: Processor time.
        megabytes: Peak of memory.
    """

    outcome: str
    seconds: float
    megabytes: float


def cost_of(data: bytes) -> Cost:
    """Decode a file in another process."""
    command = [sys.executable, "-m", "tests.support.decode_cost"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, input=data, cwd=root, stdout=subprocess.PIPE, check=True)
    return Cost(**json.loads(done.stdout))


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Decode what is on standard input."""
    data = sys.stdin.buffer.read()
    before, begin = _peak(), time.process_time()
    try:
        EncodedImage.read(data).decode()
        outcome = "decoded"
    except ClassifierError as error:
        outcome = type(error).__name__
    seconds = time.process_time() - begin
    print(json.dumps(Cost(outcome, seconds, (_peak() - before) / 1000).__dict__))


if __name__ == "__main__":
    main()
