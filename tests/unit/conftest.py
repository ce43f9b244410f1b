"""What the unit tests share: tiny versions, photographs, a bucket, a client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from flask.testing import FlaskClient
from moto import mock_aws
from PIL import Image

from handler import create_app
from model_loader import SharedModel
from tests.images import encode
from tests.versions import build_version
from training.publish import publish

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
def client(published: str) -> FlaskClient:
    """A client of the service, with a model that works."""
    return create_app(SharedModel(published)).test_client()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[S3Client]:
    """S3 with an empty bucket; downloads are kept in a folder of the test's own."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A small JPEG."""
    return encode(Image.linear_gradient("L").convert("RGB"), "JPEG")
