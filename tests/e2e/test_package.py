"""The function under Lambda's own Runtime Interface Emulator, with either engine."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model_loader import load_model
from model_loader.image.formats import FORMATS
from tests.e2e.service import publish
from tools.local_aws.gateway_events import http_api_event, rest_event, rest_json_event
from tools.local_aws.install import PYTHON
from tools.local_aws.ministack import Ministack
from tools.local_aws.rie import Emulator, run_checkout, run_package

pytestmark = pytest.mark.e2e

MakeEvent = Callable[[Path], dict[str, Any]]
both_gateways = pytest.mark.parametrize(
    "make_event", [rest_event, http_api_event], ids=["rest-v1", "http-api-v2"]
)


@pytest.fixture(scope="module")
def packaged(
    package: Path, version: Path, aws: Ministack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    """The unzipped package, with nothing else on its path and its model in S3."""
    aws.client("s3").create_bucket(Bucket="packaged")
    publish(version, "s3://packaged/models", aws)
    settings = {name: value for name, value in aws.env.items() if name.startswith("AWS_")}
    settings |= {"MODEL_URI": "s3://packaged/models/flying-objects", "MODEL_ENGINE": "onnx"}
    settings |= {"INCOMING_URI": "s3://packaged/incoming"}
    with run_package(package, tmp_path_factory.mktemp("package"), settings) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def torchscript(
    tools: None, version: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    """The checkout with the TorchScript engine, from the virtual environment."""
    settings = {"MODEL_URI": str(version), "MODEL_ENGINE": "torchscript"}
    with run_checkout(tmp_path_factory.mktemp("torchscript"), settings) as emulator:
        yield emulator


@both_gateways
def test_the_package_brings_all_that_it_needs(
    packaged: Emulator, make_event: MakeEvent, noise: Path, version: Path
) -> None:
    check_answer(packaged.invoke(make_event(noise)), version, "onnx", noise)


@both_gateways
def test_the_torchscript_engine_answers_the_same_events(
    torchscript: Emulator, make_event: MakeEvent, noise: Path, version: Path
) -> None:
    check_answer(torchscript.invoke(make_event(noise)), version, "torchscript", noise)


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_package_decodes_every_format_that_is_taken(
    packaged: Emulator, image_format: str, version: Path, tmp_path: Path
) -> None:
    photo = tmp_path / f"photo.{image_format.lower()}"
    Image.linear_gradient("L").convert("RGB").save(photo, image_format)
    check_answer(packaged.invoke(rest_event(photo)), version, "onnx", photo)


def test_the_package_signs_a_form_and_reads_what_was_uploaded(
    packaged: Emulator, aws: Ministack, noise: Path, version: Path
) -> None:
    begun = packaged.invoke(rest_json_event("/uploads", {"content_type": "image/png"}))
    assert begun["statusCode"] == 201
    form = json.loads(begun["body"])
    assert form["fields"]["x-amz-signature"]
    aws.client("s3").put_object(Bucket="packaged", Key=form["key"], Body=noise.read_bytes())
    response = packaged.invoke(rest_json_event("/classify", {"key": form["key"]}))
    check_answer(response, version, "onnx", noise, ("key", None))


def test_the_package_can_take_credentials_of_a_web_identity(package: Path) -> None:
    # As in a container that runs it elsewhere; Lambda itself puts keys into the environment.
    ask = "import boto3; print(*(boto3.client(name).meta.service_model for name in ('s3', 'sts')))"
    env = {"PYTHONPATH": str(package), "AWS_DEFAULT_REGION": "us-east-1"}
    command = [PYTHON, "-S", "-B", "-c", ask]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ServiceModel(s3)", "ServiceModel(sts)"]


def test_running_the_package_writes_nothing_into_it(packaged: Emulator, package: Path) -> None:
    with zipfile.ZipFile(package.with_suffix(".zip")) as archive:
        packed = set(archive.namelist())
    files = (file for file in package.rglob("*") if file.is_file())
    assert {file.relative_to(package).as_posix() for file in files} == packed


def check_answer(
    response: dict[str, Any],
    version: Path,
    engine: str,
    photo: Path,
    names: tuple[str, str | None] | None = None,
) -> None:
    """Check a proxy response against what the same model says without a gateway."""
    expected = load_model(str(version), engine).classify(photo.read_bytes())
    assert response["statusCode"] == 200
    answer = json.loads(response["body"])
    assert (answer["file"], answer["filename"]) == (names or ("file1", photo.name))
    assert answer["predicted"] == f"That seems to be {expected.label}"
    assert answer["scores"] == pytest.approx(expected.scores, abs=1e-4)
