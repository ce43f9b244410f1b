"""Run every test, in two processes: those that share servers and a screen, and all the others.

With arguments, pytest alone runs what they say: `python -m tests.run tests/unit -k upload`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

_TESTS = Path(__file__).parent
_SHARING = ("e2e", "browser", "window")
_PYTEST = (sys.executable, "-m", "pytest")


def main(arguments: list[str]) -> int:
    """Run the tests and return the exit code: that of the first process that failed."""
    if arguments:
        return subprocess.run([*_PYTEST, *arguments]).returncode
    with tempfile.TemporaryFile() as output:
        others = subprocess.Popen([*_PYTEST, _TESTS / "unit"], stdout=output, stderr=output)
        sharing = subprocess.run([*_PYTEST, *(_TESTS / name for name in _SHARING)])
        others.wait()
        output.seek(0)
        print(output.read().decode(errors="replace"), flush=True)
    return sharing.returncode or others.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
