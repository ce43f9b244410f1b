"""What the end-to-end tests share: tools, a local AWS, a model version, photographs."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from deploy.build_zip import WHEEL_MACHINES
from model_loader import MAX_REQUEST_BYTES
from tests.e2e.service import copy_checkout
from tests.support.images import encode
from tests.support.images import noise as draw_noise
from tests.support.versions import build_version
from tools.local_aws.install import ROOT, RUNTIME, install_tools, lambda_architecture
from tools.local_aws.ministack import Ministack, run_ministack
from tools.local_aws.seaweedfs import SeaweedFS, run_seaweedfs


@cache
def build_package(architecture: str) -> Path:
    """Build the onnx flavour as a user would; return the folder of the zip and its content."""
    target = ["--runtime", RUNTIME, "--architecture", architecture]
    subprocess.run([sys.executable, "-m", "deploy.build_zip", *target], cwd=ROOT, check=True)
    return ROOT / ".build" / f"{RUNTIME}-{architecture}"


@pytest.fixture(scope="session")
def tools() -> None:
    """The programs that the tests run, for a machine that can run them."""
    if lambda_architecture() is None:
        pytest.skip("Lambda's packages and its emulator run on Linux x86_64 and arm64 only")
    install_tools()


@pytest.fixture(scope="session")
def aws(tools: None) -> Iterator[Ministack]:
    """A local AWS that ends with the tests, and leaves none of the packages that it unpacked."""
    with tempfile.TemporaryDirectory() as folder, run_ministack(Path(folder)) as stack:
        yield stack


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what osls deploys, whose settings a module may edit."""
    return copy_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def seaweedfs(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """An S3 that refuses what S3 refuses."""
    with run_seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as s3:
        yield s3


@pytest.fixture(scope="session")
def package(tools: None) -> Path:
    """The unzipped package of the onnx flavour for this machine."""
    return build_package(str(lambda_architecture())) / "package"


@pytest.fixture(scope="session", params=WHEEL_MACHINES)
def architecture(request: pytest.FixtureRequest) -> str:
    """Each architecture in turn; that of this machine is only one of them."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def archive(architecture: str) -> Iterator[zipfile.ZipFile]:
    """The zip of the onnx flavour for each architecture."""
    with zipfile.ZipFile(build_package(architecture) / "package.zip") as opened:
        yield opened


@pytest.fixture(scope="session")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny but real model version."""
    folder = tmp_path_factory.mktemp("models") / "version"
    build_version(folder)
    return folder


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG."""
    path = tmp_path_factory.mktemp("photos") / "photo.jpg"
    Image.linear_gradient("L").convert("RGB").save(path)
    return path


@pytest.fixture(scope="session")
def large_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG that is larger than a request may be."""
    path = tmp_path_factory.mktemp("photos") / "large.jpg"
    path.write_bytes(encode(draw_noise(3000, 2400), "JPEG", quality=90))
    assert path.stat().st_size > MAX_REQUEST_BYTES
    return path


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG of noise: it does not compress, and its checksums give away a changed byte."""
    path = tmp_path_factory.mktemp("photos") / "noise.png"
    pixels = random.Random(0).randbytes(256 * 256 * 3)
    Image.frombytes("RGB", (256, 256), pixels).save(path)
    return path
