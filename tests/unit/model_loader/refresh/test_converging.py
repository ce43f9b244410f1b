"""Whatever happens to a store, a warm process comes to what a new one would serve."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from model_loader import Metadata, ModelUnavailableError, SharedModel, load_model
from model_loader.engine import ENGINES
from model_loader.model import softmax
from model_loader.store import LocalStore, file_info
from tests.support.refresh_material import Clock, Versions, served, shared
from tests.support.versions import build_version
from tests.unit.conftest import BUCKET
from training.errors import TrainingError
from training.published.publication import publish
from training.published.stored_versions import roll_back

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.fuzz

INTERVAL = 60
NAMES = st.sampled_from("ab")
FILES = st.sampled_from(["model.json", "model.onnx", "current.json"])


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A ``model.json``, of which versions are made that need no network."""
    folder = tmp_path_factory.mktemp("document")
    build_version(folder)
    found: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return found


def write_version(folder: Path, document: dict[str, Any], version: str, content: int) -> None:
    """Write a version whose 'network' is a file of four logits."""
    folder.mkdir(parents=True)
    logits = np.array([[content, 1, 2, 3]], np.float32)
    (folder / "model.onnx").write_bytes(logits.tobytes())
    info = file_info(folder / "model.onnx")
    self_test = {**document["self_test"], "probabilities": softmax(logits, 1.0)[0].tolist()}
    files = {"model.onnx": {"sha256": info.sha256, "size": info.size}}
    changed = {**document, "version": version, "self_test": self_test, "files": files}
    (folder / "model.json").write_text(json.dumps(changed))


def load_logits(path: Path, threads: int | None) -> Callable[..., Any]:
    logits = np.frombuffer(path.read_bytes(), np.float32)[None]
    return lambda images: logits


class Fleet(RuleBasedStateMachine):
    """Three warm processes, one store, and people and faults that change it."""

    document: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.clock = Clock(self.patch)
        self.patch.setitem(ENGINES, "onnx", ("model.onnx", load_logits))
        self.root = Path(tempfile.mkdtemp())
        self.model = self.root / "store" / "flying-objects"
        self.contents = 0

    def teardown(self) -> None:
        self.settle()
        self.patch.undo()
        shutil.rmtree(self.root)

    @initialize()
    def start(self) -> None:
        self.publish("a")
        self.processes = [
            SharedModel(str(self.model), "onnx", str(INTERVAL), None) for _ in range(3)
        ]
        for process in self.processes:
            process.get()

    @rule(name=NAMES)
    def publish(self, name: str) -> None:
        """As ``publish`` does: a version of this name that lies there whole stays as it is."""
        exported = self.root / "exported" / name
        if not exported.exists():
            self.contents += 1
            write_version(exported, self.document, name, self.contents)
        with suppress(TrainingError):  # it differs from what lies there
            publish(exported, str(self.root / "store"))

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        shutil.rmtree(self.model / "versions" / name, ignore_errors=True)

    @rule(name=NAMES)
    def fix(self, name: str) -> None:
        """Delete a version and publish another one of its name."""
        self.delete(name)
        shutil.rmtree(self.root / "exported" / name, ignore_errors=True)
        self.publish(name)

    @rule(name=NAMES, file=FILES, kind=st.sampled_from(["cut", "other", "gone"]))
    def damage(self, name: str, file: str, kind: str) -> None:
        path = self.model if file == "current.json" else self.model / "versions" / name
        path = path / file
        if not path.exists():
            return
        if kind == "gone":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:5] if kind == "cut" else b"other")

    @rule(name=NAMES, file=FILES)
    def publish_what_is_damaged_at_once(self, name: str, file: str) -> None:
        self.fix(name)
        self.damage(name, file, "other")
        self.settle()

    @rule(name=NAMES)
    def lose_a_file_and_publish_again(self, name: str) -> None:
        """As the message of ``publish`` advises where a file was damaged."""
        (self.model / "versions" / name / "model.onnx").unlink(missing_ok=True)
        self.publish(name)

    @rule(name=NAMES)
    def roll_back(self, name: str) -> None:
        with suppress(TrainingError):  # there is no such version, or it cannot be served
            roll_back(str(self.model), name)

    @rule(name=NAMES, process=st.integers(0, 2))
    def ask_while_the_store_is_down(self, name: str, process: int) -> None:
        def down(*_: Any) -> bool:
            raise ModelUnavailableError("The store is down.")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LocalStore, "is_changed", down)
            self.clock.wait(INTERVAL)
            self.processes[process].get()

    @rule(process=st.integers(0, 2), seconds=st.integers(0, 2 * INTERVAL))
    def ask(self, process: int, seconds: int) -> None:
        self.clock.wait(seconds)
        self.processes[process].get()

    @rule()
    def settle(self) -> None:
        """After one interval every process agrees with a new one, wherever that one answers."""
        self.clock.wait(INTERVAL)
        warm = [process.get().metadata for process in self.processes]
        try:
            fresh = load_model(str(self.model), "onnx").metadata
        except ModelUnavailableError:
            return
        assert warm == [fresh] * 3


def test_warm_processes_converge_after_any_sequence_of_events(document: dict[str, Any]) -> None:
    Fleet.document = document
    run_state_machine_as_test(Fleet, settings=settings(stateful_step_count=20))


@pytest.mark.parametrize("fixed", ["under its own name", "file by file", "under another name"])
def test_a_version_that_was_damaged_is_taken_once_it_is_fixed(
    fixed: str, s3: S3Client, built: Path, clock: Clock, loads: list[str], tmp_path: Path
) -> None:
    versions = Versions(built, f"s3://{BUCKET}/models")
    model = shared(versions)
    served(model)
    versions.publish_second()
    folder = f"models/flying-objects/versions/{versions.second}"
    s3.put_object(Bucket=BUCKET, Key=f"{folder}/model.onnx", Body=b"damaged")
    for _ in range(3):
        clock.wait()
        assert served(model) == versions.first
    assert loads == [f"versions/{version}/" for version in (versions.first, versions.second)]
    expected = versions.second
    if fixed == "under another name":
        expected = build_version(tmp_path / "third", seed=3).version
        publish(tmp_path / "third", versions.store)
    else:
        files = ("model.onnx",) if fixed == "file by file" else ("model.json", "model.onnx")
        for file in files:
            s3.delete_object(Bucket=BUCKET, Key=f"{folder}/{file}")
        clock.wait()
        assert served(model) == versions.first
        versions.publish_second()
    clock.wait()
    assert served(model) == expected == served(shared(versions))
    assert len(loads) <= 5


def test_another_version_under_the_name_of_the_one_that_is_served_is_taken(
    s3: S3Client, built: Path, clock: Clock, tmp_path: Path
) -> None:
    versions = Versions(built, f"s3://{BUCKET}/models")
    model = shared(versions)
    served(model)
    changed = Path(shutil.copytree(versions.folders[0], tmp_path / "changed"))
    document = json.loads((changed / "model.json").read_text())
    (changed / "model.json").write_text(json.dumps({**document, "threshold": 0.5}))
    key = f"models/flying-objects/versions/{versions.first}/model.json"
    s3.delete_object(Bucket=BUCKET, Key=key)
    publish(changed, versions.store)
    clock.wait()
    assert model.get().metadata == Metadata.from_json((changed / "model.json").read_bytes())


def test_going_back_from_a_damaged_version_loads_nothing(
    versions: Versions, clock: Clock, loads: list[str]
) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    versions.file_of_second("model.onnx").write_bytes(b"damaged")
    clock.wait()
    assert served(model) == versions.first
    roll_back(versions.address, versions.first)
    clock.wait()
    assert served(model) == versions.first
    assert loads == [f"versions/{version}/" for version in (versions.first, versions.second)]
