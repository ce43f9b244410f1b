"""Publishing writes a version once, and current.json last."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from model_loader import Metadata, load_model
from tests.support.versions import build_version
from tests.unit.conftest import BUCKET
from training.errors import TrainingError
from training.published import publication as publish_module
from training.published.destination import (
    Destination,
    LocalDestination,
    S3Destination,
    open_destination,
)
from training.published.publication import publish, version_folder

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

    def recording(self: LocalDestination, key: str, data: bytes, replaces: str | None) -> bool:
        written.append(Path(key).name)
        return put(self, key, data, replaces)

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
    with pytest.raises(TrainingError, match="exists already and differs.*export again"):
        publish(changed, store)
    assert load_model(f"{store}/flying-objects").metadata.threshold == 0


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "store")
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}/models"


def interrupt_before(name: str, patch: pytest.MonkeyPatch) -> None:
    """Let a publication end before it writes the file of this name."""
    for kind in (LocalDestination, S3Destination):

        def failing(
            self: Any, key: str, data: bytes, replaces: str | None, put: Any = kind.put
        ) -> bool:
            if key.endswith(name):
                raise KeyboardInterrupt
            return bool(put(self, key, data, replaces))

        patch.setattr(kind, "put", failing)


@pytest.mark.parametrize("file", ["model.onnx", "model.json", "current.json"])
def test_an_interrupted_publication_changes_nothing_and_is_taken_up(
    store: str, file: str, tmp_path: Path
) -> None:
    first, second = (build_version(tmp_path / str(seed), seed=seed) for seed in (1, 2))
    address = publish(tmp_path / "1", store)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_before(file, patch)
        with pytest.raises(KeyboardInterrupt):
            publish(tmp_path / "2", store)
    assert load_model(address).metadata == first
    publish(tmp_path / "2", store)
    assert load_model(address).metadata == second
    assert load_model(address, "onnx").metadata == second


def test_what_a_killed_publication_left_half_written_is_written_over(
    version: Path, tmp_path: Path
) -> None:
    metadata = Metadata.from_json((version / "model.json").read_bytes())
    folder = tmp_path / metadata.name / "versions" / metadata.version
    folder.mkdir(parents=True)
    (folder / ".model.pt.partial").write_bytes(b"half")
    address = publish(version, str(tmp_path))
    assert load_model(address).metadata == metadata
    assert not list(tmp_path.rglob(".*"))


def read(destination: Destination, key: str) -> bytes | None:
    found = destination.read(key)
    return None if found is None else found.data


@pytest.mark.parametrize("replaces", [None, "the tag that it had once"])
def test_nothing_is_written_over_a_file_that_was_not_seen(store: str, replaces: str | None) -> None:
    destination = open_destination(store)
    assert destination.put("file", b"first", None)
    assert not destination.put("file", b"second", replaces)
    assert read(destination, "file") == b"first"
    assert not destination.put("no such file", b"second", "the tag that it had once")


def test_who_is_overtaken_is_told_and_overrules_nobody(store: str, tmp_path: Path) -> None:
    slow, fast = (build_version(tmp_path / str(seed), seed=seed) for seed in (1, 2))
    copy = publish_module._copy
    with pytest.MonkeyPatch.context() as patch:

        def overtaken(*arguments: Any) -> None:
            patch.undo()
            publish(tmp_path / "2", store)
            copy(*arguments)

        patch.setattr(publish_module, "_copy", overtaken)
        with pytest.raises(TrainingError, match=f"{slow.version} is published, but.*rollback"):
            publish(tmp_path / "1", store)
    address = f"{store}/{slow.name}"
    assert load_model(address).metadata == fast
    assert load_model(f"{address}/versions/{slow.version}").metadata == slow


@pytest.mark.parametrize("damaged", ["", "[]", "{}"])
def test_a_damaged_current_json_is_mended_by_publishing(
    version: Path, store: str, damaged: str
) -> None:
    open_destination(store, "flying-objects").put("current.json", damaged.encode(), None)
    assert load_model(publish(version, store)).metadata.name == "flying-objects"


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
    with pytest.raises(
        TrainingError, match="not the folder of a run, of a published model or of a version"
    ):
        version_folder(tmp_path)


def test_a_bucket_that_does_not_exist_is_named(s3: S3Client, version: Path) -> None:
    with pytest.raises(TrainingError, match="s3://no-such-bucket/models/flying-objects/"):
        publish(version, "s3://no-such-bucket/models")


@pytest.mark.parametrize("store", ["", "s3://", "http://host/store"])
def test_a_store_that_is_none_is_refused(version: Path, store: str) -> None:
    with pytest.raises(TrainingError, match="The store"):
        publish(version, store)
