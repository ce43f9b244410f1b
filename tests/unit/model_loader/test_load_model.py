"""A model is fetched once, checked, and refused when it is not what was published."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from model_loader import (
    UNKNOWN,
    ModelCorruptError,
    ModelIncompatibleError,
    ModelNotFoundError,
    ModelUnavailableError,
    SharedModel,
    load_model,
)
from model_loader.store import LocalStore, file_info
from tests.support.versions import LABELS
from tests.unit.conftest import BUCKET, cache_of
from training.published.publication import publish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ENGINES = ("torchscript", "onnx")


@pytest.fixture
def copy(version: Path, tmp_path: Path) -> Path:
    """A version that a test may spoil."""
    return Path(shutil.copytree(version, tmp_path / "copy"))


def change_metadata(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "model.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_published_model_answers(published: str, engine: str, photo: bytes) -> None:
    prediction = load_model(published, engine).classify(photo)
    assert tuple(prediction.scores) == LABELS
    assert sum(prediction.scores.values()) == pytest.approx(1)
    assert prediction.confidence == max(prediction.scores.values())
    assert prediction.scores[prediction.label] == prediction.confidence


@pytest.mark.parametrize("engine", ENGINES)
def test_one_thread_answers_alike_and_others_keep_theirs(
    published: str, engine: str, photo: bytes
) -> None:
    before = torch.get_num_threads()
    one = load_model(published, engine, threads=1).classify(photo)
    assert torch.get_num_threads() == before
    assert one.scores == pytest.approx(load_model(published, engine).classify(photo).scores)


def test_the_engines_agree(published: str, photo: bytes) -> None:
    first, second = (load_model(published, engine).classify(photo) for engine in ENGINES)
    assert first.scores == pytest.approx(second.scores, abs=1e-4)


def test_torchscript_is_the_default(published: str) -> None:
    assert load_model(published).engine == "torchscript"


def test_a_versions_folder_is_a_model_too(version: Path, published: str, photo: bytes) -> None:
    one, other = load_model(str(version)), load_model(published)
    assert one.classify(photo) == other.classify(photo)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_in_s3_answers_as_the_local_one(
    s3: S3Client, version: Path, published: str, engine: str, photo: bytes
) -> None:
    uri = publish(version, f"s3://{BUCKET}/models")
    assert uri == f"s3://{BUCKET}/models/flying-objects"
    assert load_model(uri, engine).classify(photo) == load_model(published, engine).classify(photo)


def test_many_threads_share_one_download(
    s3: S3Client, version: Path, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_loader.s3 import S3Store

    uri = publish(version, f"s3://{BUCKET}/models")
    fetched = []
    fetch = S3Store.fetch

    def counting(self: S3Store, key: str, info: Any) -> AbstractContextManager[Path]:
        fetched.append(key)
        return fetch(self, key, info)

    monkeypatch.setattr(S3Store, "fetch", counting)
    model = SharedModel(uri)
    barrier = threading.Barrier(16)

    def ask(_: int) -> int:
        barrier.wait()
        return id(model.get())

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(ask, range(16)))) == 1
    assert len(fetched) == 1


def test_those_who_wait_for_a_load_that_fails_share_its_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    arrived = threading.Barrier(9)

    def fail(*_: Any) -> None:
        tried.append(1)
        arrived.wait()  # until all eight are at the door …
        time.sleep(0.2)  # … and through it
        raise ModelNotFoundError("nothing there")

    def ask(_: int) -> BaseException:
        threading.Thread(target=arrived.wait).start()
        with pytest.raises(ModelNotFoundError) as error:
            model.get()
        return error.value

    monkeypatch.setattr("model_loader.shared.LatestModel", fail)
    model = SharedModel(str(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        errors = list(pool.map(ask, range(8)))
    assert tried == [1]
    assert len({id(error) for error in errors}) == 1


def test_a_load_that_failed_is_tried_again_later(tmp_path: Path, version: Path) -> None:
    model = SharedModel(str(tmp_path / "store" / "flying-objects"))
    with pytest.raises(ModelNotFoundError):
        model.get()
    publish(version, str(tmp_path / "store"))
    assert model.get().metadata.name == "flying-objects"


def test_a_downloaded_file_is_used_again(s3: S3Client, version: Path, tmp_path: Path) -> None:
    uri = publish(version, f"s3://{BUCKET}/models")
    load_model(uri)
    stored = next(iter_objects(s3, "model.pt"))
    s3.delete_object(Bucket=BUCKET, Key=stored)
    assert load_model(uri).metadata.name == "flying-objects"


def test_a_damaged_file_in_the_cache_is_downloaded_again(
    s3: S3Client, version: Path, tmp_path: Path
) -> None:
    uri = publish(version, f"s3://{BUCKET}/models")
    load_model(uri)
    (cached,) = cache_of(tmp_path).iterdir()
    cached.write_bytes(b"half a mod")
    assert load_model(uri).metadata.name == "flying-objects"
    assert file_info(cached) == load_model(uri).metadata.files["model.pt"]


def test_a_swapped_object_is_refused_and_not_kept(
    s3: S3Client, version: Path, tmp_path: Path
) -> None:
    uri = publish(version, f"s3://{BUCKET}/models")
    s3.put_object(Bucket=BUCKET, Key=next(iter_objects(s3, "model.pt")), Body=b"other weights")
    with pytest.raises(ModelCorruptError, match="not the file that was published"):
        load_model(uri)
    assert list(cache_of(tmp_path).iterdir()) == []


def iter_objects(s3: S3Client, name: str) -> Any:
    objects = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    return (entry["Key"] for entry in objects if entry["Key"].endswith(name))


def test_an_empty_bucket_says_how_to_publish(s3: S3Client) -> None:
    with pytest.raises(ModelNotFoundError, match="Publish a model there"):
        load_model(f"s3://{BUCKET}/models/flying-objects")


def test_a_bucket_that_does_not_exist_is_named(s3: S3Client) -> None:
    with pytest.raises(ModelNotFoundError, match="The bucket of s3://no-such-bucket/m/n does not"):
        load_model("s3://no-such-bucket/m/n")


def test_an_s3_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.raises(ModelUnavailableError, match="AWS_ENDPOINT_URL"):
        load_model("s3://bucket/models/flying-objects")


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_PROFILE", "ghost"), ("AWS_ENDPOINT_URL", "garbage")]
)
def test_aws_settings_that_do_not_fit_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv(name, value)
    with pytest.raises(ModelUnavailableError, match=f"{value}.*Correct AWS_PROFILE"):
        load_model("s3://bucket/models/flying-objects")


@pytest.mark.parametrize("uri", ["", "s3://", "s3://bucket", "http://host/model"])
def test_an_address_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(
        ModelNotFoundError, match=r"The model's address \(MODEL_URI, or --model\) is"
    ):
        load_model(uri)


def test_an_empty_folder_says_how_to_publish(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no current.json"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "../../etc"}', '{"version": 3}'])
def test_a_damaged_current_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "current.json").write_text(text)
    with pytest.raises(ModelCorruptError, match="current.json"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_changed_file_is_refused(copy: Path, engine: str) -> None:
    file = copy / ("model.pt" if engine == "torchscript" else "model.onnx")
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ModelCorruptError, match="not the file that was published"):
        load_model(str(copy), engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_that_is_no_network_is_refused(copy: Path, engine: str) -> None:
    file = copy / ("model.pt" if engine == "torchscript" else "model.onnx")
    file.write_bytes(b"not a network")
    info = file_info(file)
    change_metadata(
        copy, lambda d: d["files"][file.name].update(sha256=info.sha256, size=info.size)
    )
    with pytest.raises(ModelCorruptError, match=f"{file.name} is not"):
        load_model(str(copy), engine)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "model.pt").unlink()
    with pytest.raises(ModelNotFoundError, match="There is no model.pt"):
        load_model(str(copy))


def test_labels_that_do_not_fit_the_network_are_refused(copy: Path) -> None:
    def drop_a_label(document: dict[str, Any]) -> None:
        document["labels"].pop()
        document["self_test"]["probabilities"].pop()

    change_metadata(copy, drop_a_label)
    with pytest.raises(ModelCorruptError, match="3 labels, but its network gives"):
        load_model(str(copy))


def test_a_network_that_fails_its_self_test_is_refused(copy: Path) -> None:
    change_metadata(copy, lambda d: d["self_test"]["probabilities"].reverse())
    with pytest.raises(ModelCorruptError, match="fails its self-test"):
        load_model(str(copy))


def test_an_engine_without_a_file_is_refused(copy: Path) -> None:
    change_metadata(copy, lambda d: d["files"].pop("model.onnx"))
    with pytest.raises(ModelIncompatibleError, match="has no model.onnx"):
        load_model(str(copy), "onnx")


def test_an_engine_that_is_not_known_is_refused(copy: Path) -> None:
    with pytest.raises(ModelIncompatibleError, match="must be torchscript or onnx"):
        load_model(str(copy), "tensorflow")


def test_a_high_temperature_flattens_the_scores(copy: Path, photo: bytes) -> None:
    before = load_model(str(copy)).classify(photo)

    def soften(document: dict[str, Any]) -> None:
        document["temperature"] = 1e6
        document["self_test"]["probabilities"] = [0.25] * 4

    change_metadata(copy, soften)
    after = load_model(str(copy)).classify(photo)
    assert before.confidence > 0.26
    assert after.confidence == pytest.approx(0.25, abs=1e-3)


def test_below_the_threshold_the_label_is_unknown(copy: Path, photo: bytes) -> None:
    change_metadata(copy, lambda d: d.update(threshold=1.0))
    prediction = load_model(str(copy)).classify(photo)
    assert prediction.label == UNKNOWN
    assert 0 < prediction.confidence < 1


def test_a_local_model_is_read_where_it_lies(version: Path) -> None:
    store = LocalStore(version)
    info = file_info(version / "model.pt")
    with store.fetch("model.pt", info) as path:
        assert path == version / "model.pt"
