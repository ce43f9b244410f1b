"""Bytecode for the target.

Lambda's disk is read-only: what is not compiled here would be compiled at every cold start.
Bytecode belongs to one minor version of Python, so the target's own interpreter writes it. It is
marked as never to be compared with its source (PEP 552, unchecked hashes): nothing depends on
times, and starting reads no source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from deploy.errors import BuildError

TASK_ROOT = "/var/task"
"""Where Lambda unpacks a function: what tracebacks name, whatever folder the build was in."""

_NAME = "import sys; print(sys.implementation.name, 'python%d.%d' % sys.version_info[:2])"


def find_interpreter(runtime: str) -> str:
    """Return the interpreter of a runtime such as "python3.13": this one, or one installed beside.

    Raises:
        BuildError: There is none on this machine.
    """
    for candidate in (sys.executable, shutil.which(runtime), *_pyenv_interpreters(runtime)):
        if candidate and _is_runtime(candidate, runtime):
            return candidate
    version = runtime.removeprefix("python")
    raise BuildError(
        f"There is no {runtime} on this machine. It is needed to compile the package: Lambda "
        "would do so at every cold start. Install it (for example: uv python install "
        f"{version}), or set provider.runtime of serverless.yml to another that you have, "
        "python3.12 or newer."
    )


def compile_sources(python: str, package: Path, sources: Iterable[Path]) -> None:
    """Write the bytecode of files and folders of a package, each beside its source.

    Raises:
        BuildError: A file is no valid Python of that version.
    """
    command = [python, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(package), "-p", TASK_ROOT]
    done = subprocess.run([*command, *map(str, sources)], capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"The package cannot be compiled:\n{(done.stdout + done.stderr).strip()}")


def _pyenv_interpreters(runtime: str) -> list[str]:
    """Return pyenv's, newest last; its command on PATH runs only the versions that are chosen."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    version = runtime.removeprefix("python")
    return sorted(map(str, root.glob(f"versions/{version}.*/bin/{runtime}")))


def _is_runtime(python: str, runtime: str) -> bool:
    done = subprocess.run([python, "-I", "-c", _NAME], capture_output=True, text=True)
    return done.returncode == 0 and done.stdout.split() == ["cpython", runtime]
