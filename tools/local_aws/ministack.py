"""The local AWS that the tests deploy to: it checks permissions and speaks TLS only."""

from __future__ import annotations

import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tools.local_aws.certificate import write_certificate
from tools.local_aws.install import MINISTACK, ROOT, RUNTIME, runtime_client
from tools.local_aws.process import free_port, running

REGION = "us-east-1"
_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True)
class Ministack:
    """A running ministack."""

    port: int
    certificate: Path

    @property
    def endpoint(self) -> str:
        """Its address, for every service."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """This process's environment, with the AWS settings that lead a command to ministack."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **kept,
            **_KEYS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CA_BUNDLE": str(self.certificate),
            "NODE_EXTRA_CA_CERTS": str(self.certificate),
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client for one of its services."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            verify=str(self.certificate),
            region_name=REGION,
            aws_access_key_id=_KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_KEYS["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def run_ministack(folder: Path) -> Iterator[Ministack]:
    """Run ministack for as long as the block lasts; it writes nothing outside the folder."""
    certificate, key = write_certificate(folder, f"*.execute-api.{REGION}.amazonaws.com")
    stack = Ministack(free_port(), certificate)
    env = {
        # Functions inherit this environment, so it holds no more than it must.
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(stack.port),
        "MINISTACK_HOST": f"{REGION}.amazonaws.com",
        "AUTH": "true",
        "LAMBDA_EXECUTOR": "local",
        "PYTHONPATH": str(runtime_client(RUNTIME)),  # like a runtime of AWS it runs restore hooks
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(certificate),
        "MINISTACK_SSL_KEY": str(key),
        "AWS_CA_BUNDLE": str(certificate),
    }
    with running(
        [MINISTACK / "bin" / "ministack"],
        env=env,
        cwd=ROOT,
        log=folder / "ministack.log",
        is_ready=lambda: _answers(f"{stack.endpoint}/_ministack/health", certificate),
    ):
        yield stack


def _answers(url: str, certificate: Path) -> bool:
    trust = ssl.create_default_context(cafile=str(certificate))
    try:
        with urllib.request.urlopen(url, timeout=1, context=trust):
            return True
    except (urllib.error.URLError, OSError):
        return False
