"""This machine's pip configuration, for a build inside a container.

Where it leads to torch's CPU build (a folder of wheels, an index), the build takes the same way.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

from tools.local_aws.install import ROOT

_SECTIONS = ("global", ":env:")


def build_arguments(folder: Path) -> list[str]:
    """Return the arguments of `podman build` that let pip work there as it does here.

    Args:
        folder: Where a configuration file may be written.
    """
    settings = _settings()
    configuration = folder / "pip.conf"
    lines = [f"{name} = {value}".replace("\n", "\n  ") for name, value in settings.items()]
    configuration.write_text("\n".join(["[global]", *lines, ""]))
    mounts = {configuration: Path("/etc/pip.conf")}
    mounts |= {path: path for value in settings.values() for path in _local_paths(value)}
    arguments = [f"--volume={here}:{there}:ro" for here, there in mounts.items()]
    if _finds_cpu_torch():
        arguments.append("--build-arg=INSTALL=python3 -m pip install --no-compile")
    return arguments


def _settings() -> dict[str, str]:
    settings = {}
    for line in _pip("config", "list").splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in _SECTIONS:
            settings[name] = str(ast.literal_eval(value))
    return settings


def _local_paths(value: str) -> list[Path]:
    """Return the files and folders of this machine that a setting names."""
    found = []
    for word in value.split():
        # A local index refers to files that lie beside it.
        path = (
            Path(word.removeprefix("file://")).parent if word.startswith("file://") else Path(word)
        )
        if path.is_absolute() and path.exists():
            found.append(path)
    return found


def _finds_cpu_torch() -> bool:
    """Return whether pip would take torch's CPU build, and not the one with CUDA."""
    (torch,) = (
        line.split()[0]
        for line in (ROOT / "requirements-torchscript.txt").read_text().splitlines()
        if line.startswith("torch==")
    )
    asked = ["--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-", torch]
    (found,) = json.loads(_pip("install", *asked))["install"]
    return str(found["metadata"]["version"]).endswith("+cpu")


def _pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
