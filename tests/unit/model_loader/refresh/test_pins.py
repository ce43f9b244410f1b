"""A pinned version is the only one that is served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from werkzeug.test import Client

from handler import create_app
from model_loader import ModelMismatchError, ModelUnavailableError
from model_loader.store import file_info
from tests.support.refresh_material import Clock, Versions, served, shared


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


def test_a_mismatch_is_answered_503_and_the_log_says_what_to_do(
    versions: Versions, photo: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(create_app(shared(versions, pinned="0" * 64)))
    response = client.post("/classify", data=photo, content_type="image/jpeg")
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "--param sha256=" in caplog.text
