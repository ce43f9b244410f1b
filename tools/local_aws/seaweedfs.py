"""An S3 that refuses what S3 refuses: wrong signatures, and writes whose condition fails."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from tools.local_aws.install import WEED
from tools.local_aws.process import free_ports, running

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "a-bucket"
_KEY, _SECRET = "a-key", "a-secret"


@dataclass(frozen=True)
class SeaweedFS:
    """A running SeaweedFS with an empty bucket."""

    port: int

    @property
    def settings(self) -> dict[str, str]:
        """The AWS settings that lead to it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self) -> S3Client:
        """Return a client of it."""
        return boto3.client(
            "s3",
            endpoint_url=self.settings["AWS_ENDPOINT_URL"],
            aws_access_key_id=_KEY,
            aws_secret_access_key=_SECRET,
            region_name=self.settings["AWS_DEFAULT_REGION"],
        )


@contextmanager
def run_seaweedfs(folder: Path) -> Iterator[SeaweedFS]:
    """Run SeaweedFS for as long as the block lasts; it writes nothing outside the folder."""
    (folder / "data").mkdir()
    credentials = [{"accessKey": _KEY, "secretKey": _SECRET}]
    identity = {"name": "tests", "credentials": credentials, "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    names = ("master", "volume", "filer", "s3")
    ports = free_ports(2 * len(names))
    options = ["-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
    options += ["-s3", "-s3.config=s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    options += ["-volume.max=20", "-master.volumeSizeLimitMB=64"]
    for name, port, grpc in zip(names, ports[::2], ports[1::2], strict=True):
        options += [f"-{name}.port={port}", f"-{name}.port.grpc={grpc}"]
    found = SeaweedFS(ports[names.index("s3") * 2])
    with running(
        [WEED, "server", *options],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)},
        cwd=folder,
        log=folder / "weed.log",
        is_ready=lambda: _is_healthy(found.port),
    ):
        client = found.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="first", Body=b"1")  # makes the volumes
        client.delete_object(Bucket=BUCKET, Key="first")
        yield found


def lead_to(s3: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process's clients ask it."""
    for name, value in s3.settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers other credentials


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1):
            return True
    except (urllib.error.URLError, OSError):
        return False
