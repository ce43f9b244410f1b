"""The service as its users meet it: deployed by osls, asked by curl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from deploy.build_zip import DEFAULT_RUNTIME, REQUIREMENTS, SOURCES
from tools.local_aws.install import ROOT, RUNTIME, lambda_architecture
from tools.local_aws.ministack import Ministack

STACK = "flying-objects-dev"
BATCHES = "flying-objects-batches-dev"
FUNCTION = f"{STACK}-classifier"

_OSLS_SECONDS = 240


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Service:
    """The onnx flavour on a ministack, deployed from a copy of what is deployed."""

    aws: Ministack
    checkout: Path

    def osls(self, command: str, *params: str, folder: str = ".") -> str:
        """Run an osls command, such as `deploy`, with further parameters; return what it prints."""
        target = ["engine=onnx", f"architecture={lambda_architecture()}"]
        env = {**self.aws.env, "SLS_AWS_MONITORING_FREQUENCY": "200"}
        return run_osls(command, *target, *params, env=env, cwd=self.checkout / folder)

    def outputs(self, name: str = STACK) -> dict[str, str]:
        """Return the outputs of a stack."""
        (stack,) = self.aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    @cached_property
    def url(self) -> str:
        """Where the deployed API answers."""
        return self.outputs()["ServiceEndpoint"]

    @property
    def api(self) -> str:
        """The id of the deployed REST API: the first label of its host name."""
        return self.url.removeprefix("https://").partition(".")[0]

    @cached_property
    def bucket(self) -> str:
        """The name of the stack's bucket."""
        return self.outputs()["ModelStore"].removeprefix("s3://").partition("/")[0]

    def publish(self, version: Path) -> None:
        """Publish a model to the stack's bucket."""
        publish(version, self.outputs()["ModelStore"], self.aws)

    def restart(self) -> None:
        """Make the function's next start a cold one, as any change of its environment does."""
        client = self.aws.client("lambda")
        current = client.get_function_configuration(FunctionName=FUNCTION)
        client.update_function_configuration(
            FunctionName=FUNCTION, Environment=current["Environment"]
        )

    def classify(self, photo: Path) -> Answer:
        """Send a photograph with document 002's own command."""
        no_cache, multipart = "cache-control: no-cache", "content-type: multipart/form-data"
        return self.curl(
            *("-X", "POST", f"{self.url}/classify"),
            *("-H", no_cache, "-H", multipart),
            *("-F", f"file1=@{photo}"),
        )

    def post_json(self, path: str, document: dict[str, Any]) -> Answer:
        """Post JSON to one of the routes."""
        body = ("-H", "content-type: application/json", "-d", json.dumps(document))
        return self.curl(self.url + path, *body)

    def curl(self, *arguments: str) -> Answer:
        """Run curl with every host led to ministack."""
        lead = [
            "--connect-to",
            f"::127.0.0.1:{self.aws.port}",
            "--cacert",
            str(self.aws.certificate),
        ]
        done = subprocess.run(
            ["curl", "--silent", "--dump-header", "/dev/stderr", *lead, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        status_line, *lines = done.stderr.strip().split("\n\n")[-1].splitlines()
        headers = dict(line.split(": ", 1) for line in lines)
        return Answer(
            status=int(status_line.split()[1]),
            headers={name.lower(): value for name, value in headers.items()},
            body=json.loads(done.stdout),
        )


def copy_checkout(to: Path) -> Path:
    """Copy what osls deploys, with the runtime that this machine has."""
    for name in ("deploy", "serverless.yml", "package.json", "Dockerfile", *REQUIREMENTS, *SOURCES):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, to / name)
    (ROOT / ".build").mkdir(exist_ok=True)
    for name in ("node_modules", ".venv", ".build"):
        if (ROOT / name).exists():
            (to / name).symlink_to(ROOT / name)
    change(to / "serverless.yml", f"runtime: {DEFAULT_RUNTIME}", f"runtime: {RUNTIME}")
    if RUNTIME == "python3.11":  # too old for AWS, but the local one runs this machine's Python
        change(to / "deploy" / "stack.js", "OLDEST_PYTHON = 12", "OLDEST_PYTHON = 11")
    return to


def change(file: Path, text: str, replacement: str) -> None:
    """Replace a text that stands in a file once, as whoever edits a setting does."""
    content = file.read_text(encoding="utf-8")
    assert content.count(text) == 1
    file.write_text(content.replace(text, replacement), encoding="utf-8")


def publish(version: Path, store: str, aws: Ministack) -> None:
    """Publish a model with the project's own command."""
    _check([sys.executable, "-m", "training", "publish", str(version), store], aws.env)


def run_osls(
    command: str, *params: str, env: dict[str, str] | None = None, cwd: Path = ROOT
) -> str:
    """Run an osls command with the parameters given as `name=value`; return what it prints."""
    arguments = [argument for param in params for argument in ("--param", param)]
    return _check(["npx", "--no-install", "osls", *command.split(), *arguments], env, cwd)


def _check(command: list[str], env: dict[str, str] | None, cwd: Path = ROOT) -> str:
    """Run a command in the checkout and return its output; raise with all of it on failure."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env or dict(os.environ),
        capture_output=True,
        text=True,
        timeout=_OSLS_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
