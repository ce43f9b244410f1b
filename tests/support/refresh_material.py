"""A warm process, two versions, and the time between them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from model_loader import Metadata, SharedModel, refresh
from training.published.publication import publish


class Clock:
    """The time that the refresh sees; a test moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1e9
        monkeypatch.setattr(refresh, "time", SimpleNamespace(time=lambda: self.now))

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


def shared(versions: Versions, seconds: str = "60", pinned: str | None = None) -> SharedModel:
    return SharedModel(versions.address, "onnx", seconds, pinned)


def served(model: SharedModel) -> str:
    return model.get().metadata.version
