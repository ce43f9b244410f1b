"""podman, with images and containers of its own inside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.local_aws.install import ROOT
from tools.local_aws.process import free_port, running
from tools.local_aws.rie import Emulator, listens

_STORE = ROOT / ".tools" / "containers"
_BUILD_SECONDS = 1500

# What Lambda gives a function: a user without rights, a disk that only /tmp can be written on, few
# files and processes.
_AS_ON_LAMBDA = (
    *("--user", "993:990", "--read-only", "--tmpfs", "/tmp:size=512m"),
    *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"),
)
_RUN = ("run", "--rm", "--network=host", *_AS_ON_LAMBDA)


def podman(*arguments: str | Path) -> str:
    """Run a podman command and return what it prints.

    Raises:
        RuntimeError: It failed; all that it printed is quoted.
    """
    command = _command(*arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_SECONDS)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def inspect(image: str) -> dict[str, Any]:
    """Return what podman knows of an image."""
    (found,) = json.loads(podman("image", "inspect", image))
    description: dict[str, Any] = found
    return description


def has(image: str) -> bool:
    """Return whether the checkout holds an image."""
    return subprocess.run(_command("image", "exists", image)).returncode == 0


def run_python(image: str, code: str) -> str:
    """Return what a Python program prints inside an image, where Lambda would run it."""
    return podman(*_RUN, "--entrypoint", "python3", image, "-c", code)


@contextmanager
def run_image(
    image: str, folder: Path, settings: dict[str, str], files: dict[Path, str]
) -> Iterator[Emulator]:
    """Run an image's own command under the emulator that its base holds.

    Args:
        image: The image.
        folder: Where the log goes.
        settings: Its environment.
        files: That it sees, and where it sees them.
    """
    port, name = free_port(), f"{folder.name}-{free_port()}"
    emulator = ["/usr/local/bin/aws-lambda-rie"]
    emulator += ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    emulator += ["--runtime-api-address", f"127.0.0.1:{free_port()}", "/var/runtime/bootstrap"]
    options = ["--name", name, "--entrypoint", json.dumps(emulator)]
    options += [f"--env={key}={value}" for key, value in settings.items()]
    options += [f"--volume={here}:{there}:ro" for here, there in files.items()]
    command = inspect(image)["Config"]["Cmd"]
    try:
        with running(
            _command(*_RUN, *options, image, *command),
            env=os.environ,
            cwd=folder,
            log=folder / "emulator.log",
            is_ready=lambda: listens(port),
        ):
            yield Emulator(port)
    finally:  # a container outlives the command that started it
        podman("rm", "--force", "--ignore", "--time", "0", name)


def _command(*arguments: str | Path) -> list[str]:
    # crun, podman's first choice, refuses machines where both generations of cgroups are mounted.
    runtime = ["--runtime", "runc"] if shutil.which("runc") else []
    store = ["--root", str(_STORE / "store"), "--runroot", str(_STORE / "run")]
    return ["podman", *runtime, *store, *map(str, arguments)]
