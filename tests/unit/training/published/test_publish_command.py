"""``publish`` takes whatever holds a version, and says how a stage serves it."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from model_loader import load_model
from model_loader.store import file_info
from tests.support.command_line import mistake, run
from tests.support.versions import build_version
from tests.unit.conftest import BUCKET
from training.published.publication import publish

SHIPPED = Path(__file__).parents[4] / "models" / "flying-objects"


@pytest.fixture
def model(version: Path, tmp_path: Path) -> Path:
    """A published model of two versions, of which the older one is current."""
    build_version(tmp_path / "newer", seed=1)
    publish(tmp_path / "newer", str(tmp_path / "a store"))
    return Path(publish(version, str(tmp_path / "a store")))


def test_the_model_of_this_project_is_published(tmp_path: Path) -> None:
    assert run("publish", SHIPPED, tmp_path) == 0
    current = json.loads((SHIPPED / "current.json").read_text())["version"]
    assert load_model(str(tmp_path / "flying-objects"), "onnx").metadata.version == current


@pytest.mark.parametrize("place", ["s3", "local"])
def test_of_a_published_model_the_current_version_is_published(
    model: Path, version: Path, tmp_path: Path, place: str, request: pytest.FixtureRequest
) -> None:
    store = str(tmp_path / "to")
    if place == "s3":
        request.getfixturevalue("s3")
        store = f"s3://{BUCKET}/models"
    assert run("publish", model, store) == 0
    expected = load_model(str(version)).metadata
    assert load_model(f"{store}/flying-objects").metadata == expected


def test_one_version_of_a_published_model_is_published(model: Path, tmp_path: Path) -> None:
    for folder in (model / "versions").iterdir():
        assert run("publish", folder, tmp_path / "to") == 0
        metadata = load_model(str(tmp_path / "to" / "flying-objects")).metadata
        assert metadata.version == folder.name


def test_a_folder_of_nothing_is_refused_with_what_it_may_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = mistake(capsys, "publish", tmp_path, tmp_path / "to")
    assert "is not the folder of a run, of a published model or of a version" in said


def test_a_run_without_an_exported_version_is_to_be_exported(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = Path(shutil.copytree(finished / "run", tmp_path / "my run"))
    shutil.rmtree(copied / "model")
    said = mistake(capsys, "publish", copied, tmp_path / "to")
    assert said.endswith(f"export again: python -m training export '{copied}'")


@pytest.mark.parametrize("name", ["flying-objects", "herons"])
def test_the_parameter_that_a_stage_needs_is_printed(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_version(tmp_path / "model", name=name)
    assert run("publish", tmp_path / "model", tmp_path / "store") == 0
    assert f"deployed with --param model={name}" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["s3", "local"])
def test_a_model_that_is_not_there_is_named_with_the_parameter_that_names_it(
    address: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if address == "s3":
        request.getfixturevalue("s3")
    store = f"s3://{BUCKET}/models" if address == "s3" else str(tmp_path)
    image = tmp_path / "image.jpg"
    image.write_bytes(b"")
    said = mistake(capsys, "predict", image, "--model", f"{store}/herons")
    assert "no model of the name herons is published there" in said
    assert "--param model=NAME" in said


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def follow(line: str) -> list[str]:
    """Return the arguments of a training command in a last line."""
    words = shlex.split(line.removeprefix("Next: "))
    assert words[:3] == ["python", "-m", "training"]
    return words[3:]


def test_each_last_line_can_be_pasted_and_leads_from_publishing_to_serving(
    version: Path, tmp_path: Path, s3: object, capsys: pytest.CaptureFixture[str]
) -> None:
    store = f"s3://{BUCKET}/my models"
    address = f"{store}/flying-objects"
    assert run("publish", version, store) == 0
    assert (command := follow(last_line(capsys))) == ["verify", address]
    assert run(*command) == 0
    assert last_line(capsys) == f"Next: make serve MODEL_URI='{address}'"


def test_what_is_published_to_a_folder_is_served_next(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "my store"
    assert run("publish", version, store) == 0
    assert last_line(capsys) == f"Next: make serve MODEL_URI='{store}/flying-objects'"


def test_a_version_that_was_verified_by_name_is_served_by_name(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = sorted(path.name for path in (model / "versions").iterdir())[0]
    assert run("verify", model, name) == 0
    uri = shlex.split(last_line(capsys))[-1].removeprefix("MODEL_URI=")
    assert load_model(uri, "onnx").metadata.version == name


def test_versions_and_rollback_lead_to_verifying(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = sorted(path.name for path in (model / "versions").iterdir())
    for arguments in (("versions", model), *(("rollback", model, name) for name in other)):
        assert run(*arguments) == 0
        assert follow(last_line(capsys)) == ["verify", str(model)]


def test_a_list_without_a_current_version_leads_to_the_newest_that_can_be_served(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "current.json").unlink()
    assert run("versions", model) == 0
    assert run(*follow(last_line(capsys))) == 0
    assert load_model(str(model), "onnx").metadata.name == "flying-objects"


def test_a_list_of_nothing_that_can_be_served_leads_to_publishing(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for document in model.glob("versions/*/model.json"):
        document.unlink()
    assert run("versions", model) == 0
    assert follow(last_line(capsys)) == ["publish", "RUN", str(model.parent)]


def test_the_pin_that_is_printed_is_the_one_that_is_checked(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("publish", version, tmp_path) == 0
    said = capsys.readouterr().err
    name = load_model(str(version), "onnx").metadata.version
    pin = f"--param version={name} --param sha256={file_info(version / 'model.json').sha256}"
    assert pin in said
