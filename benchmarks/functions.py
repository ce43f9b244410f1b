"""The functions that are compared: the baseline, and each of our flavours as it is deployed."""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from benchmarks.images import photographs
from benchmarks.measure import ROOT, on_one_cpu, run_process
from benchmarks.rows import Options
from deploy.build_zip import SOURCES
from deploy.bytecode import compile_sources
from model_loader import load_model
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
from training.export.torchscript import int8_version
from training.published.publish import publish

MODEL = ROOT / "models" / "flying-objects"
"""The model that every function serves."""

MEMORY = "1769"
"""MB that serverless.yml gives the function."""

_BASELINE_SOURCES = (
    "training/__init__.py",
    "training/torchvision_import.py",
    "benchmarks/baseline_handler.py",
    "benchmarks/usual_transform.py",
)
_IMAGES, _SMOKE_IMAGES = 128, 8  # that int8 is calibrated with


@dataclass(frozen=True)
class Function:
    """A function that can be started.

    Attributes:
        python: The interpreter with its options.
        code: The folder of its code, and of its dependencies where the interpreter has none.
        module: The module with `lambda_handler`.
        settings: Its environment variables.
        runtime: Lambda's name of its Python.
    """

    python: tuple[str, ...]
    code: Path
    module: str
    settings: dict[str, str]
    runtime: str = OWN_RUNTIME

    @property
    def path(self) -> str:
        """Its module path, with Lambda's runtime client."""
        return f"{self.code}{os.pathsep}{runtime_client(self.runtime)}"

    def emulated(self, folder: Path) -> AbstractContextManager[Emulator]:
        """Prepare it under Lambda's emulator, on one processor, with an empty home folder."""
        python, handler = [*on_one_cpu(), *self.python], f"{self.module}.lambda_handler"
        return run_function(python, self.path, self.code, folder, self.settings, handler)

    def environment(self, folder: Path) -> dict[str, str]:
        """Return its whole environment where no emulator starts it."""
        own = {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": self.path}
        lambdas = {"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": "classifier"}
        return {**lambdas, **own, **self.settings}


def compared_functions(options: Options) -> dict[str, Function]:
    """Return "baseline", "ONNX" and "TorchScript", all with the model in S3."""
    s3 = _run_s3(options.work, options.closing)
    settings = {
        **s3.settings,
        "AWS_REGION": s3.settings["AWS_DEFAULT_REGION"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": MEMORY,
        "MODEL_URI": f"s3://{BUCKET}/models/{MODEL.name}",
    }
    text = (ROOT / "serverless.yml").read_text()
    deployed = {**settings, **dict(re.findall(r"^    ([A-Z_]+): '(\w+)'$", text, re.MULTILINE))}
    if deployed == settings:
        raise RuntimeError("serverless.yml gives no function a setting in single quotes.")
    text = (ROOT / "Dockerfile").read_text()
    image = dict(re.findall(r"^ENV (\w+)=(\S+)$", text, re.MULTILINE))
    (version,) = (MODEL / "versions").iterdir()
    key = f"models/{MODEL.name}/versions/{version.name}/model.pt"
    architecture = str(lambda_architecture())
    build = [sys.executable, "-m", "deploy.build_zip", "--runtime", RUNTIME]
    run_process([*build, "--architecture", architecture])
    return {
        "baseline": Function(
            (sys.executable,),
            _staged(options.work / "baseline", _BASELINE_SOURCES),
            "benchmarks.baseline_handler",
            {**settings, "MODEL_BUCKET": BUCKET, "MODEL_KEY": key},
        ),
        "ONNX": Function(
            (PYTHON, "-S"),  # hides the interpreter's own packages, which Lambda would not have
            ROOT / ".build" / f"{RUNTIME}-{architecture}" / "package",
            "handler",
            {**deployed, "MODEL_ENGINE": "onnx"},
            RUNTIME,
        ),
        "TorchScript": Function(  # the container image's, with the torch of this environment
            (sys.executable,),
            _staged(options.work / "torchscript", SOURCES),
            "handler",
            {**image, **deployed, "MODEL_ENGINE": "torchscript"},
        ),
    }


def with_int8(function: Function, options: Options) -> Function:
    """Return a function that serves an int8 version of the model, whatever its accuracy."""
    (version,) = (MODEL / "versions").iterdir()
    store, target = options.work / "int8", options.work / "int8-version"
    count, files = _SMOKE_IMAGES if options.smoke else _IMAGES, photographs(options)
    model = load_model(str(version), "onnx")
    chosen = files[:: max(1, len(files) // count)][:count]
    int8_version(version, target, [model.prepare(file.read_bytes()) for file in chosen])
    publish(target, str(store))
    _upload(_run_s3(options.work, options.closing), store, "int8")
    settings = {**function.settings, "MODEL_URI": f"s3://{BUCKET}/int8/{MODEL.name}"}
    return replace(function, settings=settings)


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


@cache
def _run_s3(work: Path, closing: ExitStack) -> SeaweedFS:
    """Put the model into an S3 that runs until the last row."""
    install_tools()
    folder = work / "s3"
    folder.mkdir()
    s3 = closing.enter_context(run_seaweedfs(folder))
    _upload(s3, MODEL, f"models/{MODEL.name}")
    return s3


def _upload(s3: SeaweedFS, folder: Path, prefix: str) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            key = f"{prefix}/{file.relative_to(folder).as_posix()}"
            s3.client().put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
