"""A process that goes on from a snapshot shares nothing with its twins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import model_loader.s3
from model_loader.store import file_info
from tests.support.refresh_material import Clock, Versions, served, shared
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
    connect = model_loader.s3._connect

    def counting(*place: str) -> Any:
        made.append(place)
        return connect(*place)

    monkeypatch.setattr(model_loader.s3, "_connect", counting)
    model.renew()
    assert [served(model), served(model)] == [versions.second] * 2
    assert len(made) == 1


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
