"""No bad version, and no store that is away, costs a warm process the old version."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from model_loader import Model, ModelUnavailableError, refresh
from model_loader.store import LocalStore
from tests.support.refresh_material import Clock, Versions, served, shared
from tests.unit.conftest import BUCKET, cache_of
from training.published.stored_versions import roll_back

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.mark.parametrize("file", ["model.onnx", "model.json", "current.json"])
def test_a_damaged_version_leaves_the_old_one_and_is_logged_once(
    versions: Versions, clock: Clock, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    damaged = versions.file_of_second(file)
    if file == "current.json":
        damaged = Path(versions.address, file)
    damaged.write_bytes(b"damaged")
    for _ in range(3):
        clock.wait()
        assert served(model) == versions.first
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert file in record.getMessage()
    assert f"Version {versions.first} stays in service" in record.getMessage()
    assert not record.exc_info


def test_what_is_damaged_is_not_loaded_again_before_current_json_changes(
    versions: Versions, clock: Clock, loads: list[str]
) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    whole = versions.file_of_second("model.onnx").read_bytes()
    versions.file_of_second("model.onnx").write_bytes(b"damaged")
    for _ in range(3):
        clock.wait()
        served(model)
    assert loads == [f"versions/{version}/" for version in (versions.first, versions.second)]
    versions.file_of_second("model.onnx").write_bytes(whole)
    roll_back(versions.address)
    clock.wait()
    assert served(model) == versions.first
    roll_back(versions.address, versions.second)
    clock.wait()
    assert served(model) == versions.second


def test_a_store_that_does_not_answer_leaves_the_old_version_until_it_does(
    versions: Versions,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()

    def down(*_: Any) -> None:
        raise ModelUnavailableError("The store is down.")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "is_changed", down)
        for _ in range(3):
            clock.wait()
            assert served(model) == versions.first
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "The store is down."
    ]
    clock.wait()
    assert served(model) == versions.second


def test_a_version_that_comes_late_is_tried_again(versions: Versions, clock: Clock) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    hidden = versions.file_of_second("model.onnx").rename(versions.address + "/hidden")
    clock.wait()
    assert served(model) == versions.first
    hidden.rename(versions.file_of_second("model.onnx"))
    clock.wait()
    assert served(model) == versions.second


def test_an_error_that_nobody_foresaw_leaves_the_old_version_and_a_trace_in_the_log(
    versions: Versions,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()

    def out_of_memory(*_: Any) -> Model:
        raise MemoryError("no memory for two")

    monkeypatch.setattr(refresh, "load_version", out_of_memory)
    clock.wait()
    assert served(model) == versions.first
    assert "MemoryError" in caplog.text


def test_a_full_disk_gives_up_the_oldest_download(
    s3: S3Client, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    versions = Versions(built, f"s3://{BUCKET}/models")
    model = shared(versions)
    served(model)
    cache = cache_of(tmp_path)
    (old,) = cache.iterdir()
    needed = versions.metadata[1].files["model.onnx"].size
    usage = SimpleNamespace(
        disk_usage=lambda _: SimpleNamespace(free=0 if old.exists() else needed)
    )
    monkeypatch.setattr("model_loader.cache.shutil", usage)
    versions.publish_second()
    clock.wait()
    assert served(model) == versions.second
    (new,) = cache.iterdir()
    assert new != old
