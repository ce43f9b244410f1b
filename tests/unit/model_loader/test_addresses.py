"""The address of a model, and that of a single version, whatever their folders are called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from model_loader import Metadata, ModelNotFoundError, SharedModel, load_model
from tests.unit.conftest import BUCKET
from training.published.publication import publish
from training.published.stored_versions import list_versions, roll_back, verified

pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture(params=["models", "versions", "versions/versions", "a/versions/b"])
def store(request: pytest.FixtureRequest) -> str:
    """Where a store lies, below a folder or in a bucket."""
    folder: str = request.param
    return folder


@pytest.fixture(params=["flying-objects", "versions"])
def named(request: pytest.FixtureRequest, version: Path, tmp_path: Path) -> Path:
    """A version of a model of this name."""
    folder = Path(shutil.copytree(version, tmp_path / "named"))
    document = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**document, "name": request.param}))
    return folder


@pytest.mark.parametrize("place", ["local", "s3"])
def test_a_model_and_its_versions_are_found_at_their_addresses(
    place: str, store: str, named: Path, tmp_path: Path
) -> None:
    metadata = Metadata.from_json((named / "model.json").read_bytes())
    root = str(tmp_path) if place == "local" else f"s3://{BUCKET}"
    address = publish(named, f"{root}/{store}")
    assert address == f"{root}/{store}/{metadata.name}"
    for uri in (address, f"{address}/", f"{address}/versions/{metadata.version}"):
        assert load_model(uri, "onnx").metadata == metadata
        assert SharedModel(uri, "onnx", "60").get().metadata == metadata
    with pytest.raises(ModelNotFoundError, match="There is no model.json at"):
        load_model(f"{address}/versions/other")
    assert [one.version for one in list_versions(address)] == [metadata.version]
    assert roll_back(address, metadata.version) == (metadata.version, metadata.version)
    with verified(address) as found:
        assert found.metadata == metadata


def test_a_model_of_the_name_versions_may_lie_at_the_root_of_a_bucket(named: Path) -> None:
    metadata = Metadata.from_json((named / "model.json").read_bytes())
    assert load_model(publish(named, f"s3://{BUCKET}")).metadata == metadata
