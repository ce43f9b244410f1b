"""The container image, built by podman and run under Lambda's own emulator: `make test-image`.

BASE_IMAGE names its base, such as AWS's own; without it, one that stands in for it is made.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lambda_base import lambda_base
from tests.e2e.pip_settings import build_arguments
from tests.e2e.podman import inspect, podman, run_image, run_python
from tests.e2e.service import publish
from tests.e2e.test_package import MakeEvent, both_gateways, check_answer
from tools.local_aws.install import ROOT
from tools.local_aws.ministack import Ministack
from tools.local_aws.rie import Emulator

# The first run downloads and builds a system and an image.
pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

IMAGE = "localhost/flying-objects"
MOST_ADDED_BYTES = 800e6


@pytest.fixture(scope="module")
def base(tools: None) -> str:
    """The base image, for a machine that can make one."""
    if not shutil.which("podman"):
        pytest.skip("podman is needed")
    given = os.environ.get("BASE_IMAGE")
    if given:
        return given
    if os.geteuid() or not shutil.which("debootstrap", path="/usr/sbin:/usr/bin"):
        pytest.skip("debootstrap, which needs root, makes the base image; or give BASE_IMAGE=…")
    return lambda_base()


@pytest.fixture(scope="module")
def image(base: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of the checkout, built."""
    pip = build_arguments(tmp_path_factory.mktemp("pip"))
    where = ["--isolation=chroot", "--network=host", f"--build-arg=BASE_IMAGE={base}"]
    podman("build", *where, *pip, "--tag", IMAGE, ROOT)
    return IMAGE


@pytest.fixture(scope="module")
def running_image(
    image: str, version: Path, aws: Ministack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    """The image, with its model in S3."""
    aws.client("s3").create_bucket(Bucket="image")
    publish(version, "s3://image/models", aws)
    settings = {name: value for name, value in aws.env.items() if name.startswith("AWS_")}
    settings |= {"AWS_CA_BUNDLE": "/certificate.pem"}
    settings |= {"MODEL_URI": "s3://image/models/flying-objects", "MODEL_ENGINE": "torchscript"}
    folder = tmp_path_factory.mktemp("image")
    with run_image(image, folder, settings, {aws.certificate: "/certificate.pem"}) as emulator:
        yield emulator


@both_gateways
def test_the_documents_curl_is_answered_with_the_models_label(
    running_image: Emulator, make_event: MakeEvent, noise: Path, version: Path
) -> None:
    check_answer(running_image.invoke(make_event(noise)), version, "torchscript", noise)


def test_it_adds_at_most_800_mb_to_its_base(image: str, base: str) -> None:
    added = inspect(image)["Size"] - inspect(base)["Size"]
    assert 0 < added <= MOST_ADDED_BYTES


def test_it_holds_the_function_and_torch_for_the_cpu_and_neither_training_nor_tests(
    image: str,
) -> None:
    held = set(run_python(image, "import os; print(*os.listdir())").split())
    assert {"handler.py", "service", "model_loader", "torch", "boto3"} <= held
    assert held.isdisjoint(
        {"training", "samples", "tests", "torchvision", "triton", "nvidia", "onnxruntime"}
    )
    assert run_python(image, "import torch; print(torch.version.cuda)").strip() == "None"


def test_all_of_it_is_compiled_and_no_start_looks_at_the_sources_again(image: str) -> None:
    code = """
from importlib.util import cache_from_source
from pathlib import Path

UNCHECKED_HASH = (1).to_bytes(4, "little")
sources = list(Path.cwd().rglob("*.py"))
compiled = [Path(cache_from_source(source)) for source in sources]
print(len(sources), *(path for path in compiled if path.read_bytes()[4:8] != UNCHECKED_HASH))
"""
    count, *unlike = run_python(image, code).split()
    assert int(count) > 1000
    assert unlike == []


def test_threads_that_wait_leave_lambdas_share_of_a_processor_to_those_that_compute(
    image: str,
) -> None:
    assert "OMP_WAIT_POLICY=PASSIVE" in inspect(image)["Config"]["Env"]
