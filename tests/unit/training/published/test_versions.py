"""Published versions are listed, gone back to and checked."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from model_loader import Metadata, ModelCorruptError, ModelNotFoundError, load_model
from model_loader.store import file_info
from tests.support.command_line import run
from tests.support.images import encode, noise
from tests.support.versions import LABELS, build_version
from tests.unit.conftest import BUCKET
from training.errors import TrainingError
from training.evaluation.runs import evaluate_folder
from training.export.torchscript import calibrate_version
from training.published import publication as publish_module
from training.published import stored_versions as versions_module
from training.published.destination import open_destination
from training.published.publication import publish
from training.published.stored_versions import Published, list_versions, roll_back, verified

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """The folders of three versions, a day apart; tests leave them as they are."""
    folders = []
    for i, day in enumerate(DAYS):
        folder = tmp_path_factory.mktemp("built") / "version"
        build_version(folder, seed=i)
        calibrate_version(folder, 1.0, 0.0, {"test": {"accuracy": 0.5 + i / 10}})
        document = json.loads((folder / "model.json").read_text())
        document |= {"created": f"{day}T12:00:00+00:00", "version": f"{day}-{i}"}
        (folder / "model.json").write_text(json.dumps(document))
        folders.append(folder)
    return tuple(folders)


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "store")
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}/models"


@pytest.fixture
def address(built: tuple[Path, ...], store: str) -> str:
    """Where the three versions are published; the newest is the current one."""
    return [publish(folder, store) for folder in built][-1]


@pytest.fixture
def local(built: tuple[Path, ...], tmp_path: Path) -> str:
    """The same in a local store."""
    return [publish(folder, str(tmp_path / "local")) for folder in built][-1]


def names(built: tuple[Path, ...]) -> list[str]:
    return [Metadata.from_json((folder / "model.json").read_bytes()).version for folder in built]


def current(address: str) -> str:
    return load_model(address, "onnx").metadata.version


def test_versions_are_listed_newest_first(built: tuple[Path, ...], address: str) -> None:
    published = list_versions(address)
    assert [one.version for one in published] == names(built)[::-1]
    assert [one.created[:10] for one in published] == list(DAYS[::-1])
    assert [one.accuracy for one in published] == [0.7, 0.6, 0.5]
    assert [one.is_current for one in published] == [True, False, False]
    assert not any(one.problem for one in published)
    for one, folder in zip(published, built[::-1], strict=True):
        assert one.sha256 == file_info(folder / "model.json").sha256
        assert one.size == sum(path.stat().st_size for path in folder.iterdir())


def test_a_publication_that_was_interrupted_is_listed_as_such(
    built: tuple[Path, ...], store: str, address: str
) -> None:
    open_destination(store, "flying-objects").put("versions/half/model.pt", b"12345", None)
    assert list_versions(address)[-1] == Published(
        "half", False, 5, problem="its publication was interrupted; publish it again"
    )


def test_a_version_with_a_file_lost_or_unreadable_is_listed_as_such(
    built: tuple[Path, ...], local: str
) -> None:
    first, second, _ = names(built)
    Path(local, "versions", first, "model.onnx").unlink()
    Path(local, "versions", second, "model.json").write_text("{}")
    problems = {one.version: one.problem for one in list_versions(local)}
    assert problems[first] == "model.onnx missing or changed; publish it again"
    assert problems[second].startswith("model.json is of schema None")


def test_an_address_without_versions_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"No version is published at {tmp_path}"):
        list_versions(str(tmp_path))


def test_rolling_back_goes_one_version_back_each_time(
    built: tuple[Path, ...], address: str
) -> None:
    first, second, third = names(built)
    assert roll_back(address) == (third, second)
    assert current(address) == second
    assert roll_back(address) == (second, first)
    assert current(address) == first
    with pytest.raises(TrainingError, match="none to go back to"):
        roll_back(address)
    assert current(address) == first


def test_a_version_that_is_named_is_gone_to_back_or_forth(
    built: tuple[Path, ...], address: str
) -> None:
    first, _, third = names(built)
    assert roll_back(address, first) == (third, first)
    assert current(address) == first
    assert roll_back(address, third) == (first, third)
    assert current(address) == third


def test_who_cannot_go_back_is_told_of_the_newer_versions_that_can_be_served(
    built: tuple[Path, ...], local: str
) -> None:
    first, second, third = names(built)
    roll_back(local, first)
    Path(local, "versions", second, "model.onnx").unlink()
    Path(local, "versions", first, "model.onnx").unlink()
    with pytest.raises(TrainingError, match=rf"none to go back to: .* Newer ones can: {third}\."):
        roll_back(local)


def test_rolling_back_passes_over_what_cannot_be_served(
    built: tuple[Path, ...], local: str
) -> None:
    first, second, third = names(built)
    Path(local, "versions", second, "model.onnx").unlink()
    with pytest.raises(TrainingError, match=f"{second}.*cannot be served: model.onnx missing"):
        roll_back(local, second)
    assert roll_back(local) == (third, first)


def test_a_version_that_does_not_exist_is_refused_with_those_that_do(
    built: tuple[Path, ...], address: str
) -> None:
    with pytest.raises(TrainingError, match=f"has no version ghost; it has {names(built)[-1]}"):
        roll_back(address, "ghost")
    assert current(address) == names(built)[-1]


def test_a_current_json_that_is_lost_is_made_anew_from_a_name(
    built: tuple[Path, ...], local: str
) -> None:
    Path(local, "current.json").unlink()
    with pytest.raises(TrainingError, match="no current version to go back from"):
        roll_back(local)
    assert roll_back(local, names(built)[0]) == (None, names(built)[0])
    assert current(local) == names(built)[0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "has no current.json"),
        ("{", "current.json is damaged"),
        ('{"version": "ghost"}', "current.json names ghost, which is not there"),
    ],
)
def test_what_is_wrong_with_current_json_is_said_below_the_versions(
    built: tuple[Path, ...],
    local: str,
    text: str | None,
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = Path(local, "current.json")
    path.unlink() if text is None else path.write_text(text)
    assert run("versions", local) == 0
    said = capsys.readouterr()
    assert names(built)[0] in said.out
    assert complaint in said.err
    assert said.err.splitlines()[-1].endswith(f"rollback {local} {names(built)[-1]}")


def test_who_rolls_back_overrules_nobody(
    built: tuple[Path, ...], store: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _, third = names(built)
    make_current = publish_module.make_current

    def overtaken(*arguments: Any) -> bool:
        monkeypatch.setattr(versions_module, "make_current", make_current)
        roll_back(address, first)
        return make_current(*arguments)

    monkeypatch.setattr(versions_module, "make_current", overtaken)
    with pytest.raises(TrainingError, match="nothing was changed"):
        roll_back(address)
    assert current(address) == first


def test_a_whole_version_is_verified_with_both_engines(
    built: tuple[Path, ...], address: str
) -> None:
    for version, folder in ((None, built[-1]), (names(built)[0], built[0])):
        with verified(address, version) as found:
            assert found.metadata == Metadata.from_json((folder / "model.json").read_bytes())
            assert found.sha256 == file_info(folder / "model.json").sha256
            assert set(found.models) == {"torchscript", "onnx"}


def test_a_changed_object_is_found_though_an_earlier_download_was_whole(
    built: tuple[Path, ...], s3: object, tmp_path: Path
) -> None:
    address = publish(built[0], f"s3://{BUCKET}/models")
    load_model(address, "onnx")
    key = f"versions/{names(built)[0]}/model.onnx"
    destination = open_destination(address)
    seen = destination.read(key)
    assert seen is not None
    destination.put(key, seen.data[:-1] + b"?", seen.tag)
    with (
        pytest.raises(ModelCorruptError, match=r"model\.onnx is not the file that was published"),
        verified(address),
    ):
        pass


def test_a_version_that_fails_its_self_test_is_not_verified(
    built: tuple[Path, ...], local: str
) -> None:
    path = Path(local, "versions", names(built)[-1], "model.json")
    document = json.loads(path.read_text())
    document["self_test"]["probabilities"].reverse()
    path.write_text(json.dumps(document))
    with pytest.raises(ModelCorruptError, match="fails its self-test"), verified(local):
        pass


@pytest.mark.parametrize(
    ("version", "complaint"),
    [("ghost", "has no version ghost; it has 2026-01-03"), ("../escape", "../escape")],
)
def test_a_version_that_does_not_exist_is_not_verified(
    local: str, version: str, complaint: str
) -> None:
    with pytest.raises(TrainingError, match=complaint), verified(local, version):
        pass


def test_a_version_whose_model_json_is_lost_is_not_verified(
    built: tuple[Path, ...], local: str
) -> None:
    first = names(built)[0]
    Path(local, "versions", first, "model.json").unlink()
    with pytest.raises(ModelNotFoundError, match=f"{first}/model.json"), verified(local, first):
        pass


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise in four class folders: nobody is right more often than by chance."""
    folder = tmp_path_factory.mktemp("data")
    for i in range(40):
        path = folder / LABELS[i % len(LABELS)] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(noise(40, 30, seed=i), "PNG"))
    return folder


def with_metrics(folder: Path, to: Path, metrics: dict[str, object]) -> Path:
    """Copy a version, with other figures."""
    copied = Path(shutil.copytree(folder, to))
    calibrate_version(copied, 1.0, 0.0, metrics)
    return copied


def test_a_version_as_good_as_it_says_passes_on_the_same_images(
    built: tuple[Path, ...], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = evaluate_folder(load_model(str(built[0])), data).evaluation
    good = with_metrics(built[0], tmp_path / "good", {"test": evaluation.to_metrics()})
    address = publish(good, str(tmp_path / "store"))
    assert run("verify", address, "--data", data) == 0
    said = capsys.readouterr().err
    assert f"model.json says {evaluation.accuracy:.3f}" in said
    assert file_info(good / "model.json").sha256 in said


def test_a_version_worse_than_it_says_does_not_pass(
    built: tuple[Path, ...], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = {"accuracy": 0.95, "interval": {"low": 0.9, "high": 0.98}, "n": 100}
    bad = with_metrics(built[0], tmp_path / "bad", {"test": claims})
    address = publish(bad, str(tmp_path / "store"))
    assert run("verify", address) == 0
    assert run("verify", address, "--data", data) == 2
    assert "than its model.json says" in capsys.readouterr().err


def test_a_version_without_figures_has_nothing_to_be_compared_with(
    built: tuple[Path, ...], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = with_metrics(built[0], tmp_path / "silent", {})
    address = publish(silent, str(tmp_path / "store"))
    assert list_versions(address)[0].accuracy is None
    assert run("verify", address, "--data", data) == 0
    assert "none to compare it with" in capsys.readouterr().err


def test_the_commands_say_what_they_did(
    built: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store")
    for folder in built:
        assert run("publish", folder, store) == 0
    address, (_, second, third) = f"{store}/flying-objects", names(built)
    said = capsys.readouterr().err
    pin = file_info(built[2] / "model.json").sha256
    assert f"--param version={third} --param sha256={pin}" in said

    assert run("versions", address) == 0
    table = capsys.readouterr().out
    (line,) = (line for line in table.splitlines() if "→" in line)
    assert third in line
    assert "0.700" in line
    assert pin in line
    assert run("versions", address, "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed == [asdict(one) for one in list_versions(address)]

    assert run("rollback", address) == 0
    assert f"is {second} now; it was {third}." in capsys.readouterr().err
    assert run("rollback", address, second) == 0
    assert "already" in capsys.readouterr().err
    assert run("rollback", address, "ghost") == 2
    assert "has no version ghost" in capsys.readouterr().err
    assert current(address) == second
