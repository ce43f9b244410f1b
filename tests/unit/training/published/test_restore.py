"""A damaged or half-published version is restored by doing what the messages say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from model_loader import Metadata, load_model
from tests.support.command_line import mistake, run
from tests.support.versions import build_version
from tests.unit.conftest import BUCKET
from training.published.destination import Destination, open_destination
from training.published.publication import publish

REMEDY = "Publish the model again, which restores it"

Damage = Callable[[bytes], bytes | None]
"""From a file's bytes to what the store has instead; None for nothing."""


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def lose(_: bytes) -> None:
    return None


def wrong_hash(data: bytes) -> bytes:
    """Change the hash of a file that model.json names."""
    document = json.loads(data)
    document["files"]["model.pt"]["sha256"] = "0" * 64
    return json.dumps(document).encode()


def without_labels(data: bytes) -> bytes:
    document = json.loads(data)
    del document["labels"]
    return json.dumps(document).encode()


DAMAGES: list[tuple[str, Damage]] = [
    *((file, damage) for file in ("model.pt", "model.onnx") for damage in (cut, flip, lose)),
    *(("model.json", damage) for damage in (cut, lose, wrong_hash, without_labels)),
    *(("current.json", damage) for damage in (cut, lose)),
]


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "a store")
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}/models"


def spoil(destination: Destination, key: str, damage: Damage) -> None:
    found = destination.read(key)
    assert found is not None
    data = damage(found.data)
    if data is None:
        destination.remove(key)
    else:
        assert destination.put(key, data, found.tag)


@pytest.mark.parametrize(
    ("file", "damage"), DAMAGES, ids=[f"{file}-{damage.__name__}" for file, damage in DAMAGES]
)
def test_what_verify_advises_restores_the_version(
    version: Path,
    store: str,
    file: str,
    damage: Damage,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address = publish(version, store)
    metadata = Metadata.from_json((version / "model.json").read_bytes())
    key = file if file == "current.json" else f"versions/{metadata.version}/{file}"
    spoil(open_destination(address), key, damage)
    said = mistake(capsys, "verify", address)
    assert REMEDY in said or "Publish a model there" in said
    assert run("publish", version, store) == 0
    assert run("verify", address) == 0
    for engine in ("torchscript", "onnx"):
        assert load_model(address, engine).metadata == metadata


@pytest.mark.parametrize("file", ["model.pt", "model.onnx"])
def test_publish_says_which_file_it_has_restored(
    version: Path, store: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    address = publish(version, store)
    name = Metadata.from_json((version / "model.json").read_bytes()).version
    spoil(open_destination(address), f"versions/{name}/{file}", flip)
    assert run("publish", version, store) == 0
    assert f"Restored {file}, which was damaged." in capsys.readouterr().err


@pytest.mark.parametrize("missing", [("model.json",), ("model.onnx", "model.json")])
def test_what_the_list_says_of_a_half_published_version_completes_it(
    version: Path, store: str, missing: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    address = publish(version, store)
    name = Metadata.from_json((version / "model.json").read_bytes()).version
    for file in missing:
        open_destination(address).remove(f"versions/{name}/{file}")
    assert run("versions", address) == 0
    assert "its publication was interrupted; publish it again" in capsys.readouterr().err
    assert run("publish", version, store) == 0
    assert run("verify", address) == 0


def test_a_version_whose_self_test_fails_is_replaced_by_exporting_again(
    version: Path, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(version, tmp_path / "copy"))
    address = publish(copy, store)
    name = Metadata.from_json((version / "model.json").read_bytes()).version

    def wrong_answer(data: bytes) -> bytes:
        document = json.loads(data)
        document["self_test"]["probabilities"].reverse()
        return json.dumps(document).encode()

    spoil(open_destination(address), f"versions/{name}/model.json", wrong_answer)
    assert "Export the model again" in mistake(capsys, "verify", address)
    assert "export again, which makes a new one" in mistake(capsys, "publish", copy, store)
    build_version(tmp_path / "again", seed=1)
    assert run("publish", tmp_path / "again", store) == 0
    assert run("verify", address) == 0


def test_a_runs_own_copy_that_is_damaged_is_not_published_and_exported_again(
    version: Path, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(version, tmp_path / "copy"))
    (copy / "model.onnx").write_bytes(b"half")
    assert "in a run, export it again" in mistake(capsys, "publish", copy, store)
    build_version(copy)
    assert run("publish", copy, store) == 0
