"""A process that goes on from a snapshot shares nothing with its twins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from model_loader.store import file_info
from tests.refresh_material import Clock, Versions, served, shared
from tests.unit.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_a_process_that_goes_on_from_a_snapshot_connects_and_asks_anew(
    s3: S3Client, built: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = Versions(built, f"s3://{BUCKET}/models")
    model = shared(versions, "3600")
    served(model)
    versions.publish_second()
    made = []
    make = boto3.client

    def counting(service: str, **settings: Any) -> Any:
        made.append(service)
        return make(service, **settings)

    monkeypatch.setattr(boto3, "client", counting)
    model.renew()
    assert [served(model), served(model)] == [versions.second] * 2
    assert made == ["s3"]


def test_a_process_that_goes_on_from_a_snapshot_keeps_what_nothing_may_change(
    versions: Versions, clock: Clock
) -> None:
    first = file_info(versions.folders[0] / "model.json").sha256
    pinned, still = shared(versions, pinned=first), shared(versions, "0")
    assert [served(pinned), served(still)] == [versions.first] * 2
    versions.publish_second()
    for model in (pinned, still):
        model.renew()
        assert served(model) == versions.first


def test_a_snapshot_without_a_model_has_nothing_to_renew(versions: Versions) -> None:
    model = shared(versions)
    model.renew()
    assert served(model) == versions.first
