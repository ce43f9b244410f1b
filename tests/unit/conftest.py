"""What the unit tests share: versions, photographs, networks, a bucket, a client, spies."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
import requests
import torch
from moto.server import ThreadedMotoServer
from PIL import Image
from werkzeug.test import Client

from handler import create_app
from model_loader import EncodedImage, SharedModel
from samples.draw import draw_sample_data
from tests.support.cleaning_material import put, scene
from tests.support.command_line import QUICK_RUN, run
from tests.support.images import encode
from tests.support.models_material import spread
from tests.support.versions import build_version
from training.models.classifier import Classifier, build_model
from training.output import progress
from training.output.terminal import Terminal
from training.pixels import decoding
from training.published.publication import publish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "a-bucket"


@pytest.fixture(scope="session")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version's folder; tests that change it copy it first."""
    folder = tmp_path_factory.mktemp("version") / "model"
    build_version(folder)
    return folder


@pytest.fixture(scope="session")
def published(version: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a model in a local store."""
    return publish(version, str(tmp_path_factory.mktemp("store")))


@pytest.fixture
def client(published: str) -> Client:
    """A client of the service, with a model that works."""
    return Client(create_app(SharedModel(published)))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 that every client can ask."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[S3Client]:
    """S3 with an empty bucket; downloads are kept in a folder of the test's own."""
    for name, value in (
        ("AWS_ENDPOINT_URL", s3_server),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    requests.post(f"{s3_server}/moto-api/reset", timeout=10).raise_for_status()


def cache_of(folder: Path) -> Path:
    """Return where this user's downloads are kept below a temporary folder."""
    return folder / f"model_loader-{os.getuid()}"


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A small JPEG."""
    return encode(Image.linear_gradient("L").convert("RGB"), "JPEG")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is said on standard error."""
    said = io.StringIO()
    monkeypatch.setattr(progress, "console", Terminal(file=said, width=300))
    return said


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of bytes of each file that is decoded."""
    calls: list[int] = []

    class Counting(EncodedImage):
        def _decode(self, scale: int) -> Image.Image:
            calls.append(len(self._data))
            return super()._decode(scale)

    monkeypatch.setattr(decoding, "EncodedImage", Counting)
    return calls


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for a core that others use cost more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def untraced() -> Iterator[None]:
    """A test that measures time is not measured by coverage."""
    tracer, threads_tracer = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    yield
    sys.settrace(tracer)
    threading.settrace(threads_tracer)


@pytest.fixture(scope="session")
def spp() -> Classifier:
    """A network with spatial pyramid pooling; tests leave it as it is."""
    torch.manual_seed(0)
    network = build_model("mobilenet_v2_spp", 4)
    spread(network)
    return network


@pytest.fixture(scope="session")
def multiscale() -> Classifier:
    """A network with three taps; tests leave it as it is."""
    torch.manual_seed(0)
    network = build_model("mobilenet_v2_multiscale", 4)
    spread(network)
    return network


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder of two classes, 12 clean images each."""
    for i in range(12):
        put(tmp_path / "data", f"birds/{i}.png", scene(i))
        put(tmp_path / "data", f"drones/{i}.png", scene(100 + i))
    return tmp_path / "data"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images in ``data`` and a finished run in ``run``; who changes it copies it."""
    folder = tmp_path_factory.mktemp("finished")
    draw_sample_data(folder / "data", images_per_class=8)
    options = ("--data", folder / "data", "--save", folder / "run", *QUICK_RUN)
    assert run("train", *options) == 0
    return folder
