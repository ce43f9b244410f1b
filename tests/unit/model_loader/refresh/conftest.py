"""Two versions of a model, and what the refresh sees of time and the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_loader import Model, loading, refresh
from tests.support.refresh_material import Clock, Versions
from tests.support.versions import build_version
from tests.unit.conftest import BUCKET


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(scope="session")
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
    load = loading.load_version

    def recording(store: Any, folder: str, *rest: Any, **options: Any) -> Model:
        folders.append(folder)
        return load(store, folder, *rest, **options)

    monkeypatch.setattr(refresh, "load_version", recording)
    return folders
