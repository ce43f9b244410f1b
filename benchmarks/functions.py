"""The functions that are compared: the baseline, and each of our flavours as it is deployed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from benchmarks.int8_model import publish_int8_model
from benchmarks.measure import ROOT, pinned
from benchmarks.rows import Options
from deploy.build_zip import SOURCES
from deploy.bytecode import compile_sources
from tools.local_aws.install import (
    OWN_RUNTIME,
    PYTHON,
    RUNTIME,
    install_tools,
    lambda_architecture,
    runtime_client,
)
from tools.local_aws.rie import Emulator, run_function
from tools.local_aws.seaweedfs import BUCKET, SeaweedFS, run_seaweedfs

MODEL = ROOT / "models" / "flying-objects"
"""What every function serves."""

MEMORY = "1769"
"""MB that serverless.yml gives the function."""

_BASELINE_SOURCES = (
    "training/__init__.py",
    "training/models/__init__.py",
    "training/torchvision_import.py",
)


@dataclass(frozen=True)
class Function:
    """A function that can be started.

    Attributes:
        runtime: The Python that runs it, as Lambda names it.
        python: The interpreter with its options.
        code: Its own folder; what it depends on lies there too or in the interpreter's packages.
        module: Has `lambda_handler`.
        settings: Its environment.
    """

    runtime: str
    python: tuple[str, ...]
    code: Path
    module: str
    settings: dict[str, str]

    @property
    def path(self) -> str:
        """Where it finds modules, Lambda's runtime client among them."""
        return f"{self.code}{os.pathsep}{runtime_client(self.runtime)}"

    @contextmanager
    def emulated(self, folder: Path, cpus: int) -> Iterator[Emulator]:
        """Have it ready under Lambda's emulator; it starts with the first event.

        Args:
            folder: Empty; becomes its home and temporary folder.
            cpus: On how many processors it may run.
        """
        with run_function(
            [*pinned(cpus), *self.python],
            self.path,
            self.code,
            folder,
            self.settings,
            f"{self.module}.lambda_handler",
        ) as emulator:
            yield emulator

    def environment(self, folder: Path) -> dict[str, str]:
        """Return what it finds in its environment where no emulator starts it."""
        own = {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": self.path}
        return {"AWS_LAMBDA_FUNCTION_NAME": "classifier", **own, **self.settings}


def baseline_and_ours(options: Options) -> dict[str, Function]:
    """Return "baseline", "ONNX" and "TorchScript", all with the model in S3."""
    served = _serve_model(options.work, options.closing)
    return {
        "baseline": _baseline(options, served),
        "ONNX": onnx_zip(options),
        "TorchScript": _torchscript_image(options, served),
    }


def onnx_zip(options: Options, runtime: str = RUNTIME, python: str = PYTHON) -> Function:
    """Return what `sls deploy --param engine=onnx` uploads, unzipped, for a runtime."""
    served = _serve_model(options.work, options.closing)
    settings = {**served, **_deployed_environment(), "MODEL_ENGINE": "onnx"}
    target = ["--runtime", runtime, "--architecture", str(lambda_architecture())]
    build = [sys.executable, "-m", "deploy.build_zip", *target]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    package = ROOT / ".build" / f"{runtime}-{lambda_architecture()}" / "package"
    # -S hides the interpreter's own packages, which Lambda would not have.
    return Function(runtime, (python, "-S"), package, "handler", settings)


def int8_zip(options: Options) -> Function:
    """Return the same, with an int8 version in S3."""
    function = onnx_zip(options)
    settings = {**function.settings, "MODEL_URI": _serve_int8_model(options)}
    return replace(function, settings=settings)


def _torchscript_image(options: Options, served: dict[str, str]) -> Function:
    """Return the image's function: the checkout's code and the virtual environment's torch."""
    code = _staged(options.work / "torchscript", SOURCES)
    environment = {**_image_environment(), **_deployed_environment()}
    settings = {**served, **environment, "MODEL_ENGINE": "torchscript"}
    return Function(OWN_RUNTIME, (sys.executable,), code, "handler", settings)


def _baseline(options: Options, served: dict[str, str]) -> Function:
    code = _staged(
        options.work / "baseline", (*_BASELINE_SOURCES, "benchmarks/baseline_handler.py")
    )
    (version,) = (MODEL / "versions").iterdir()
    key = f"models/{MODEL.name}/versions/{version.name}/model.pt"
    settings = {**served, "MODEL_BUCKET": BUCKET, "MODEL_KEY": key}
    module = "benchmarks.baseline_handler"
    return Function(OWN_RUNTIME, (sys.executable,), code, module, settings)


def _staged(folder: Path, sources: tuple[str, ...]) -> Path:
    """Copy files and folders of the checkout, with bytecode, as an image has them."""
    if not folder.is_dir():
        for name in sources:
            source, target = ROOT / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, target)
        compile_sources(sys.executable, folder, [folder])
    return folder


def _image_environment() -> dict[str, str]:
    """Return what the Dockerfile puts into the function's environment."""
    return dict(re.findall(r"^ENV (\w+)=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))


def _deployed_environment() -> dict[str, str]:
    """Return what serverless.yml puts into every function's environment, as it stands there."""
    text = (ROOT / "serverless.yml").read_text()
    if found := dict(re.findall(r"^    ([A-Z_]+): '(\w+)'$", text, re.MULTILINE)):
        return found
    raise RuntimeError("serverless.yml gives no function a setting in single quotes.")


@cache
def _serve_model(work: Path, closing: ExitStack) -> dict[str, str]:
    """Put the model into an S3 that runs until the last row; return what leads a function there."""
    s3 = _run_s3(work, closing)
    _upload(s3, MODEL, f"models/{MODEL.name}")
    return {
        **s3.settings,
        "AWS_REGION": s3.settings["AWS_DEFAULT_REGION"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": MEMORY,
        "MODEL_URI": f"s3://{BUCKET}/models/{MODEL.name}",
    }


def _serve_int8_model(options: Options) -> str:
    """Put the model's int8 version into the same S3; return its address."""
    (version,) = (MODEL / "versions").iterdir()
    store = options.work / "int8"
    if not store.is_dir():
        publish_int8_model(version, store, options)
        _upload(_run_s3(options.work, options.closing), store, "int8")
    return f"s3://{BUCKET}/int8/{MODEL.name}"


@cache
def _run_s3(work: Path, closing: ExitStack) -> SeaweedFS:
    install_tools()
    folder = work / "s3"
    folder.mkdir()
    return closing.enter_context(run_seaweedfs(folder))


def _upload(s3: SeaweedFS, folder: Path, prefix: str) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            key = f"{prefix}/{file.relative_to(folder).as_posix()}"
            s3.client().put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
