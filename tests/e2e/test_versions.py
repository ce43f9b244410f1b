"""Versions in an S3 that enforces preconditions: many publish at once, warm functions follow."""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from model_loader import ModelMismatchError, ModelUnavailableError, SharedModel, latest, load_model
from model_loader.store import file_info
from tools.local_aws.gateway_events import rest_event
from tools.local_aws.rie import Emulator, run_checkout
from tools.local_aws.seaweedfs import BUCKET, SeaweedFS, lead_to, run_seaweedfs
from training.errors import TrainingError
from training.published import publication as publish_module
from training.published.destination import open_destination
from training.published.publication import publish
from training.published.stored_versions import list_versions, roll_back, verified

pytestmark = pytest.mark.e2e

MANY = 8


@pytest.fixture
def store(seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A store that no other test has written to; downloads are kept apart, too."""
    lead_to(seaweedfs, monkeypatch)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture
def several(version: Path, tmp_path: Path) -> list[Path]:
    """The folders of versions 0, 1, … of one model."""
    return [renamed(version, tmp_path / f"v{i}", str(i)) for i in range(MANY)]


def renamed(version: Path, to: Path, name: str) -> Path:
    copied = Path(shutil.copytree(version, to))
    document = json.loads((copied / "model.json").read_text())
    (copied / "model.json").write_text(json.dumps(document | {"version": name}))
    return copied


def served(address: str) -> str:
    return load_model(address, "onnx").metadata.version


def publish_together(
    versions: list[Path], store: str, monkeypatch: pytest.MonkeyPatch
) -> list[str | None]:
    """Publish from as many threads; all have seen the same current.json before any goes on.

    Returns:
        For each what it was told, or None where it succeeded.
    """
    together = threading.Barrier(len(versions))
    copy = publish_module._copy

    def copy_together(*arguments: Any) -> None:
        together.wait(30)
        copy(*arguments)

    def attempt(version: Path) -> str | None:
        try:
            publish(version, store)
        except TrainingError as error:
            return str(error)
        return None

    with monkeypatch.context() as patch, ThreadPoolExecutor(len(versions)) as pool:
        patch.setattr(publish_module, "_copy", copy_together)
        return list(pool.map(attempt, versions))


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
def test_of_many_who_publish_at_once_one_becomes_current_and_all_are_there(
    several: list[Path], store: str, is_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{store}/flying-objects"
    if not is_first:
        publish(several.pop(), store)
    told = publish_together(several, store, monkeypatch)
    (winner,) = (i for i, sentence in enumerate(told) if sentence is None)
    assert served(address) == str(winner)
    for i, sentence in enumerate(told):
        if sentence is not None:
            assert sentence.endswith(f"python -m training rollback {address} {i}")
    listed = list_versions(address)
    assert {str(i) for i in range(len(several))} <= {one.version for one in listed}
    assert not any(one.problem for one in listed)
    for i in range(len(several)):
        with verified(address, str(i)) as found:
            assert found.metadata.version == str(i)


def test_the_same_version_may_be_published_by_many_at_once(
    version: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert publish_together([version] * MANY, store, monkeypatch) == [None] * MANY
    with verified(f"{store}/flying-objects"):
        pass


def test_of_two_versions_with_one_name_the_first_stays_whole(
    several: list[Path], store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named_alike = several[:2]
    for threshold, folder in enumerate(named_alike):
        document = json.loads((folder / "model.json").read_text())
        document |= {"version": "same", "threshold": threshold / 10}
        (folder / "model.json").write_text(json.dumps(document))
    told = publish_together(named_alike, store, monkeypatch)
    (winner,) = (i for i, sentence in enumerate(told) if sentence is None)
    assert "exists already and differs" in str(told[1 - winner])
    with verified(f"{store}/flying-objects") as found:
        assert found.metadata.threshold == winner / 10


def test_a_write_that_was_decided_on_an_older_current_json_is_refused(
    several: list[Path], store: str
) -> None:
    address = publish(several[0], store)
    destination = open_destination(address)
    seen = destination.read("current.json")
    publish(several[1], store)
    assert seen is not None
    assert not destination.put("current.json", b"{}", seen.tag)
    assert not destination.put("current.json", b"{}", None)
    assert not destination.put("versions/9/model.json", b"{}", seen.tag)
    assert served(address) == "1"


def test_a_wrong_secret_publishes_and_reads_nothing(
    several: list[Path], store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = publish(several[0], store)
    with monkeypatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "guessed")
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        with pytest.raises(TrainingError, match="signature"):
            publish(several[1], store)
        with pytest.raises(ModelUnavailableError, match="signature"):
            load_model(address, "onnx")
    assert [one.version for one in list_versions(address)] == ["0"]


def test_a_pinned_function_cannot_be_given_another_model(several: list[Path], store: str) -> None:
    pin = file_info(several[0] / "model.json").sha256
    address = publish(several[0], store)
    warm = SharedModel(address, "onnx", "0.001", pin)
    assert warm.get().metadata.version == "0"
    publish(several[1], store)
    assert warm.get().metadata.version == "0"
    with pytest.raises(ModelMismatchError, match="MODEL_SHA256 pins"):
        SharedModel(address, "onnx", "0.001", pin).get()
    named = SharedModel(f"{address}/versions/0", "onnx", "0.001", pin)
    assert named.get().metadata.version == "0"


def test_where_s3_goes_away_the_old_version_answers_and_the_log_says_why_once(
    several: list[Path],
    tools: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "s3").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with run_seaweedfs(tmp_path / "s3") as s3:
        lead_to(s3, monkeypatch)
        warm = SharedModel(publish(several[0], f"s3://{BUCKET}/models"), "onnx", "0.001")
        assert warm.get().metadata.version == "0"
    caplog.set_level(logging.ERROR, latest.__name__)
    for _ in range(3):
        time.sleep(0.01)
        assert warm.get().metadata.version == "0"
    (record,) = caplog.records
    assert "current.json cannot be read" in record.getMessage()


def test_a_warm_function_follows_publications_and_roll_backs_in_lambdas_own_runtime(
    several: list[Path], store: str, seaweedfs: SeaweedFS, photo: Path, tmp_path: Path
) -> None:
    address = publish(several[0], store)
    settings = {"MODEL_URI": address, "MODEL_ENGINE": "onnx", "MODEL_REFRESH_SECONDS": "0.5"}
    with run_checkout(tmp_path, {**seaweedfs.settings, **settings}) as function:
        assert answering(function, photo) == "0"
        publish(several[1], store)
        time.sleep(0.6)
        assert answering(function, photo) == "1"
        roll_back(address)
        time.sleep(0.6)
        assert answering(function, photo) == "0"


def answering(function: Emulator, photo: Path) -> str:
    version: str = json.loads(function.invoke(rest_event(photo))["body"])["model"]["version"]
    return version
