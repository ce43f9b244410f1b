"""Run every test, in two processes: those that share servers and builds, and most others.

What measures time, or waits for a screen, runs when both have ended.

With arguments, pytest alone runs what they say: `python -m tests.run tests/unit -k upload`.
In CI the coverage is measured, and must reach the floor in pyproject.toml.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

_TESTS = Path(__file__).parent
_SHARING = [_TESTS / name for name in ("e2e", "browser", "walk")]
_FILES = sorted((_TESTS / "unit").rglob("test_*.py"))
_ALONG = _FILES[::3]
"""Of the others, as many as keep the first process busy as long as the second."""
_COVERAGE = (sys.executable, "-m", "coverage")
_IS_CI = bool(os.environ.get("CI"))
_PYTEST = (*_COVERAGE, "run", "-m", "pytest") if _IS_CI else (sys.executable, "-m", "pytest")


def main(arguments: list[str]) -> int:
    """Run the tests and return the exit code: that of the first process that failed."""
    if arguments:
        return subprocess.run([*_PYTEST, *arguments]).returncode
    together = [*_PYTEST, "-m", "not image and not alone"]
    with tempfile.TemporaryFile() as output:
        rest = [file for file in _FILES if file not in _ALONG]
        others = subprocess.Popen([*together, *rest], stdout=output, stderr=output)
        sharing = subprocess.run([*together, *_SHARING, *_ALONG])
        others.wait()
        output.seek(0)
        print(output.read().decode(errors="replace"), flush=True)
    alone = subprocess.run([*_PYTEST, "-m", "alone"])
    failed = sharing.returncode or others.returncode or alone.returncode
    return failed or (_report_coverage() if _IS_CI else 0)


def _report_coverage() -> int:
    """Print the files that are not covered whole; return the exit code: 2 below the floor."""
    subprocess.run([*_COVERAGE, "combine", "--quiet"], check=True)
    return subprocess.run([*_COVERAGE, "report"]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
