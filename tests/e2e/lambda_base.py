"""An image that stands in for AWS's base image, which only the internet holds.

Debian with its own Python, in which Lambda's runtime client and emulator lie where AWS's image has
them. It is kept in the checkout's store of images (tests/e2e/podman.py) for later runs.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.e2e.podman import has, podman
from tools.local_aws.install import RIE, ROOT, RUNTIME_CLIENT_PACKAGE

_SUITE, _PYTHON = "bookworm", "3.11"
_PACKAGES = "python3,python3-pip,ca-certificates"

_ENTRYPOINT = """\
#!/bin/sh
export _HANDLER="$1"
[ -n "$AWS_LAMBDA_RUNTIME_API" ] && exec /var/runtime/bootstrap
exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
"""
_BOOTSTRAP = """\
#!/bin/sh
export PYTHONPATH="$LAMBDA_RUNTIME_DIR"
exec python3 -m awslambdaric "$_HANDLER"
"""
_SETTINGS = (
    "ENV=LAMBDA_TASK_ROOT=/var/task",
    "ENV=LAMBDA_RUNTIME_DIR=/var/runtime",
    "WORKDIR=/var/task",
    'ENTRYPOINT=["/lambda-entrypoint.sh"]',
)


def lambda_base() -> str:
    """Return the name of the image, which is built where it is missing; that needs root."""
    content = Path(__file__).read_bytes() + RUNTIME_CLIENT_PACKAGE.encode() + RIE.read_bytes()
    image = f"localhost/lambda-base:{hashlib.sha256(content).hexdigest()[:12]}"
    if not has(image):
        with tempfile.TemporaryDirectory(dir=ROOT / ".tools") as folder:
            _build(Path(folder), image)
    return image


def _build(folder: Path, image: str) -> None:
    system, archive = folder / "system", folder / "system.tar"
    _check("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, system)
    _install_runtime(system)
    excluded = ("./var/cache/apt/*", "./var/lib/apt/lists/*", "./proc/*", "./sys/*")
    _check("tar", *(f"--exclude={path}" for path in excluded), "-C", system, "-cf", archive, ".")
    changes = [argument for setting in _SETTINGS for argument in ("--change", setting)]
    podman("import", *changes, archive, image)


def _install_runtime(system: Path) -> None:
    runtime = system / "var" / "runtime"
    target = ["--target", str(runtime), "--python-version", _PYTHON, "--only-binary=:all:"]
    _check(sys.executable, "-m", "pip", "install", *target, RUNTIME_CLIENT_PACKAGE)
    for path, content in (
        (system / "usr" / "local" / "bin" / "aws-lambda-rie", RIE.read_bytes()),
        (system / "lambda-entrypoint.sh", _ENTRYPOINT.encode()),
        (runtime / "bootstrap", _BOOTSTRAP.encode()),
    ):
        path.write_bytes(content)
        path.chmod(0o755)
    (system / "var" / "task").mkdir()


def _check(*command: str | Path) -> None:
    done = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


# debootstrap lies where only root's own path leads.
_ENVIRONMENT = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
