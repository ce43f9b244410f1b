"""Publishing writes a version once, and current.json last."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model_loader import Metadata
from tests.unit.conftest import BUCKET
from tests.versions import build_version
from training.errors import TrainingError
from training.publish import LocalDestination, publish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_a_store_is_laid_out_as_the_contract_says(version: Path, tmp_path: Path) -> None:
    metadata = Metadata.from_json((version / "model.json").read_bytes())
    address = publish(version, str(tmp_path))
    assert address == f"{tmp_path}/flying-objects"
    files = sorted(str(p.relative_to(address)) for p in Path(address).rglob("*") if p.is_file())
    base = f"versions/{metadata.version}"
    assert files == ["current.json", *(f"{base}/model.{end}" for end in ("json", "onnx", "pt"))]
    assert json.loads(Path(address, "current.json").read_text()) == {"version": metadata.version}


def test_the_layout_in_s3_is_the_same(s3: S3Client, version: Path, tmp_path: Path) -> None:
    publish(version, f"s3://{BUCKET}/some/prefix/")
    publish(version, str(tmp_path))
    keys = sorted(o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"])
    files = sorted(
        f"some/prefix/{p.relative_to(tmp_path)}" for p in tmp_path.rglob("*.*") if p.is_file()
    )
    assert keys == files


def test_current_json_is_written_last(
    version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    put = LocalDestination.put

    def recording(self: LocalDestination, key: str, data: bytes) -> None:
        written.append(Path(key).name)
        put(self, key, data)

    monkeypatch.setattr(LocalDestination, "put", recording)
    publish(version, str(tmp_path))
    assert written == ["model.pt", "model.onnx", "model.json", "current.json"]


def test_publishing_twice_changes_nothing(version: Path, tmp_path: Path) -> None:
    publish(version, str(tmp_path))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("versions/*/*")}
    publish(version, str(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("versions/*/*")} == before


def test_a_newer_version_becomes_the_current_one_and_the_older_stays(tmp_path: Path) -> None:
    first = build_version(tmp_path / "1", seed=1)
    second = build_version(tmp_path / "2", seed=2)
    store = str(tmp_path / "store")
    publish(tmp_path / "1", store)
    address = publish(tmp_path / "2", store)
    assert json.loads(Path(address, "current.json").read_text())["version"] == second.version
    assert Path(address, "versions", first.version, "model.pt").is_file()


def test_a_version_is_never_overwritten(version: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    publish(version, store)
    changed = Path(shutil.copytree(version, tmp_path / "changed"))
    document = json.loads((changed / "model.json").read_text())
    document["threshold"] = 0.5
    (changed / "model.json").write_text(json.dumps(document))
    with pytest.raises(TrainingError, match="exists already and differs"):
        publish(changed, store)


def test_a_damaged_version_is_not_published(version: Path, tmp_path: Path) -> None:
    changed = Path(shutil.copytree(version, tmp_path / "changed"))
    (changed / "model.onnx").write_bytes(b"half")
    with pytest.raises(TrainingError, match="cannot be published. .*model.onnx is not the file"):
        publish(changed, str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_a_version_that_could_not_be_served_is_not_published(version: Path, tmp_path: Path) -> None:
    changed = Path(shutil.copytree(version, tmp_path / "changed"))
    document = json.loads((changed / "model.json").read_text())
    document["self_test"]["image"] = ""
    (changed / "model.json").write_text(json.dumps(document))
    with pytest.raises(TrainingError, match="cannot run its self-test"):
        publish(changed, str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_PROFILE", "ghost"), ("AWS_ENDPOINT_URL", "garbage")]
)
def test_aws_settings_that_do_not_fit_are_named(
    version: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=f"{value}.*Correct AWS_PROFILE"):
        publish(version, "s3://bucket/models")


def test_a_folder_that_is_no_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not the folder of a model version"):
        publish(tmp_path, str(tmp_path / "store"))


def test_a_bucket_that_does_not_exist_is_named(s3: S3Client, version: Path) -> None:
    with pytest.raises(TrainingError, match="s3://no-such-bucket/models/flying-objects/"):
        publish(version, "s3://no-such-bucket/models")


@pytest.mark.parametrize("store", ["", "s3://", "http://host/store"])
def test_a_store_that_is_none_is_refused(version: Path, store: str) -> None:
    with pytest.raises(TrainingError, match="The store"):
        publish(version, store)
