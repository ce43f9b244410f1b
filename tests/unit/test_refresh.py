"""A warm process comes to a new version by itself, and no bad version costs it the old one."""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from handler import create_app
from model_loader import (
    Metadata,
    Model,
    ModelIncompatibleError,
    ModelMismatchError,
    ModelUnavailableError,
    SharedModel,
    latest,
)
from model_loader import s3 as s3_store
from model_loader.store import LocalStore, file_info
from tests.unit.conftest import BUCKET
from tests.versions import build_version
from training.publish import publish
from training.versions import roll_back

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Clock:
    """The time that the refresh sees; a test moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1e9
        monkeypatch.setattr(latest, "time", SimpleNamespace(time=lambda: self.now))

    def wait(self, seconds: float = 60) -> None:
        self.now += seconds


class Versions:
    """Two versions, the first of them published."""

    def __init__(self, built: Path, store: str) -> None:
        self.store = store
        metadata = {
            folder: Metadata.from_json((folder / "model.json").read_bytes())
            for folder in (built / "1", built / "2")
        }
        # Built within a second they follow each other by name, as `rollback` has it.
        self.folders = sorted(metadata, key=lambda folder: metadata[folder].version)
        self.metadata = [metadata[folder] for folder in self.folders]
        self.address = publish(self.folders[0], store)
        self.first, self.second = (metadata.version for metadata in self.metadata)

    def publish_second(self) -> None:
        publish(self.folders[1], self.store)

    def file_of_second(self, name: str) -> Path:
        """A file of the second version in a local store."""
        return Path(self.address, "versions", self.second, name)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the folders of two versions, which tests leave as they are."""
    folder = tmp_path_factory.mktemp("built")
    for seed in (1, 2):
        build_version(folder / str(seed), seed=seed)
    return folder


@pytest.fixture
def versions(built: Path, tmp_path: Path) -> Versions:
    return Versions(built, str(tmp_path / "store"))


@pytest.fixture(params=["local", "s3"])
def anywhere(request: pytest.FixtureRequest, built: Path, tmp_path: Path) -> Versions:
    if request.param == "local":
        return Versions(built, str(tmp_path / "store"))
    request.getfixturevalue("s3")
    return Versions(built, f"s3://{BUCKET}/models")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folder of each version that is loaded."""
    folders: list[str] = []
    load = latest.load_version

    def recording(store: Any, folder: str, *rest: Any, **options: Any) -> Model:
        folders.append(folder)
        return load(store, folder, *rest, **options)

    monkeypatch.setattr(latest, "load_version", recording)
    return folders


def shared(versions: Versions, seconds: str = "60", pinned: str | None = None) -> SharedModel:
    return SharedModel(versions.address, "onnx", seconds, pinned)


def served(model: SharedModel) -> str:
    return model.get().metadata.version


def test_a_new_version_is_served_once_the_time_is_over(anywhere: Versions, clock: Clock) -> None:
    model = shared(anywhere)
    assert served(model) == anywhere.first
    anywhere.publish_second()
    clock.wait(59)
    assert served(model) == anywhere.first
    clock.wait(1)
    assert served(model) == anywhere.second


def test_a_roll_back_is_followed_like_a_publication(anywhere: Versions, clock: Clock) -> None:
    anywhere.publish_second()
    model = shared(anywhere)
    assert served(model) == anywhere.second
    roll_back(anywhere.address)
    clock.wait()
    assert served(model) == anywhere.first


def test_nothing_is_loaded_while_nothing_changes(
    anywhere: Versions, clock: Clock, loads: list[str]
) -> None:
    model = shared(anywhere)
    for _ in range(3):
        served(model)
        clock.wait()
    assert loads == [f"versions/{anywhere.first}/"]


def test_between_the_checks_the_store_is_left_alone(
    versions: Versions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shared(versions)
    served(model)
    asked = []
    monkeypatch.setattr(LocalStore, "read_changed", lambda *call: asked.append(call))
    for _ in range(119):
        clock.wait(1)
        served(model)
    assert len(asked) == 1


@pytest.mark.parametrize("seconds", ["0", "60"])
def test_a_version_stays_where_nothing_may_change(
    versions: Versions, clock: Clock, seconds: str
) -> None:
    first = file_info(versions.folders[0] / "model.json").sha256
    pinned = shared(versions, seconds, None if seconds == "0" else first)
    single = SharedModel(f"{versions.address}/versions/{versions.first}", "onnx", seconds)
    assert [served(pinned), served(single)] == [versions.first] * 2
    versions.publish_second()
    clock.wait(1e6)
    assert [served(pinned), served(single)] == [versions.first] * 2


def test_a_clock_that_was_set_back_does_not_stop_the_checks(
    versions: Versions, clock: Clock
) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    clock.wait(-3600)
    assert served(model) == versions.second


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
    assert f"Version {versions.first} goes on" in record.getMessage()
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
        patch.setattr(LocalStore, "read_changed", down)
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

    monkeypatch.setattr(latest, "load_version", out_of_memory)
    clock.wait()
    assert served(model) == versions.first
    assert "MemoryError" in caplog.text


def test_others_are_answered_with_the_old_version_while_one_loads_the_new(
    versions: Versions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    loading, may_end = threading.Event(), threading.Event()
    load = latest.load_version

    def slow(*arguments: Any) -> Model:
        loading.set()
        assert may_end.wait(10)
        return load(*arguments)

    monkeypatch.setattr(latest, "load_version", slow)
    clock.wait()
    with ThreadPoolExecutor(1) as pool:
        noticing = pool.submit(served, model)
        assert loading.wait(10)
        assert [served(model) for _ in range(100)] == [versions.first] * 100
        may_end.set()
        assert noticing.result(10) == versions.second


def test_of_many_requests_one_asks(versions: Versions, clock: Clock, loads: list[str]) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    clock.wait()
    together = threading.Barrier(16)

    def ask(_: int) -> None:
        together.wait()
        served(model)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(16)))
    assert loads == [f"versions/{version}/" for version in (versions.first, versions.second)]


def test_who_finds_a_check_made_in_the_meantime_makes_none(
    versions: Versions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shared(versions)
    served(model)
    clock.wait()
    asked = []
    saw_that_it_is_due, may_go_on = threading.Event(), threading.Event()
    is_due = latest.LatestModel._is_due

    def hesitating(self: latest.LatestModel) -> bool:
        answer = is_due(self)
        if threading.current_thread().name.startswith("late"):
            saw_that_it_is_due.set()
            assert may_go_on.wait(10)
        return answer

    monkeypatch.setattr(LocalStore, "read_changed", lambda *call: asked.append(call))
    monkeypatch.setattr(latest.LatestModel, "_is_due", hesitating)
    with ThreadPoolExecutor(1, thread_name_prefix="late") as pool:
        late = pool.submit(served, model)
        assert saw_that_it_is_due.wait(10)
        served(model)
        may_go_on.set()
        late.result(10)
    assert len(asked) == 1


def test_a_load_that_takes_long_goes_on_after_the_answer(
    versions: Versions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    may_end, ended = threading.Event(), threading.Event()
    load = latest.load_version

    def slow(*arguments: Any) -> Model:
        assert may_end.wait(10)
        try:
            return load(*arguments)
        finally:
            ended.set()

    monkeypatch.setattr(latest, "load_version", slow)
    monkeypatch.setattr(latest, "LONGEST_WAIT", 0.01)
    clock.wait()
    assert served(model) == versions.first
    may_end.set()
    assert ended.wait(10)
    for thread in threading.enumerate():
        if thread.name == "model-refresh":
            thread.join(10)
    assert served(model) == versions.second


def test_a_swapped_model_is_refused_where_its_hash_is_pinned(
    anywhere: Versions, clock: Clock
) -> None:
    anywhere.publish_second()
    first, second = (file_info(path / "model.json").sha256 for path in anywhere.folders)
    assert served(shared(anywhere, pinned=second)) == anywhere.second
    with pytest.raises(ModelMismatchError, match=f"{second[:12]}.*MODEL_SHA256 pins {first[:12]}"):
        shared(anywhere, pinned=first).get()


def test_the_pin_covers_every_file_of_the_version(versions: Versions) -> None:
    pinned = file_info(versions.folders[0] / "model.json").sha256
    folder = Path(versions.address, "versions", versions.first)
    document = json.loads((folder / "model.json").read_text())
    (folder / "model.onnx").write_bytes((versions.folders[1] / "model.onnx").read_bytes())
    with pytest.raises(ModelUnavailableError, match="not the file that was published"):
        shared(versions, pinned=pinned).get()
    info = file_info(folder / "model.onnx")
    document["files"]["model.onnx"] = {"sha256": info.sha256, "size": info.size}
    document["self_test"]["probabilities"] = list(versions.metadata[1].self_test.probabilities)
    (folder / "model.json").write_text(json.dumps(document))
    assert shared(versions).get().metadata.files["model.onnx"] == info
    with pytest.raises(ModelMismatchError):
        shared(versions, pinned=pinned).get()


def test_a_mismatch_is_answered_503_with_what_to_do(versions: Versions, photo: bytes) -> None:
    client = create_app(shared(versions, pinned="0" * 64)).test_client()
    response = client.post("/classify", data=photo, content_type="image/jpeg")
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "--param sha256=" in response.get_json()["detail"]


@pytest.mark.parametrize("seconds", ["", "-1", "soon", "nan", "inf"])
def test_seconds_that_are_none_are_named(versions: Versions, seconds: str) -> None:
    with pytest.raises(ModelIncompatibleError, match="MODEL_REFRESH_SECONDS is"):
        shared(versions, seconds).get()


def test_the_environment_says_what_to_serve(versions: Versions, clock: Clock) -> None:
    environment = {"MODEL_URI": versions.address, "MODEL_ENGINE": "onnx", "MODEL_SHA256": ""}
    model = SharedModel.from_environment(environment)
    pinned = SharedModel.from_environment({**environment, "MODEL_SHA256": "0" * 64})
    still = SharedModel.from_environment({**environment, "MODEL_REFRESH_SECONDS": "0"})
    assert model.get().engine == "onnx"
    assert served(still) == versions.first
    with pytest.raises(ModelMismatchError):
        pinned.get()
    versions.publish_second()
    clock.wait(60)
    assert [served(model), served(still)] == [versions.second, versions.first]


def test_a_process_that_goes_on_from_a_snapshot_connects_and_asks_anew(
    s3: S3Client, built: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = Versions(built, f"s3://{BUCKET}/models")
    model = shared(versions, "3600")
    served(model)
    versions.publish_second()
    made = []
    make = s3_store._make_client
    monkeypatch.setattr(s3_store, "_make_client", lambda: made.append(make()) or made[-1])
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


def test_a_full_disk_gives_up_the_oldest_download(
    s3: S3Client, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    versions = Versions(built, f"s3://{BUCKET}/models")
    model = shared(versions)
    served(model)
    cache = tmp_path / "model_loader"
    (old,) = cache.iterdir()
    needed = versions.metadata[1].files["model.onnx"].size
    usage = SimpleNamespace(
        disk_usage=lambda _: SimpleNamespace(free=0 if old.exists() else needed)
    )
    monkeypatch.setattr("model_loader.s3.shutil", usage)
    versions.publish_second()
    clock.wait()
    assert served(model) == versions.second
    (new,) = cache.iterdir()
    assert new != old
