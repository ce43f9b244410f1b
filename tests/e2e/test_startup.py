"""What the package does before its first request, on each kind of start."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.service import publish as publish_by_command
from tests.support.versions import build_version
from tools.local_aws.gateway_events import rest_event
from tools.local_aws.ministack import Ministack
from tools.local_aws.runtime_api import Start, start_package
from training.published.publication import publish

pytestmark = pytest.mark.e2e

STARTS = ["snap-start", "provisioned-concurrency", "on-demand"]

PROBE = """
import random
import numpy as np

random.seed(0)  # stands for whatever the snapshot holds
np.random.seed(0)
import handler


def draw(event, context):
    return {"random": random.random(), "numpy": np.random.random()}
"""


@pytest.fixture
def store(tmp_path: Path, version: Path) -> Path:
    """A local store with one model."""
    publish(version, str(tmp_path / "store"))
    return tmp_path / "store"


def settings_of(store: Path | str) -> dict[str, str]:
    return {"MODEL_URI": f"{store}/flying-objects", "MODEL_ENGINE": "onnx"}


def starting(package: Path, folder: Path, initialization: str, settings: dict[str, str]) -> Any:
    return start_package(package, folder, initialization, "handler.lambda_handler", settings)


def ask(start: Start, photo: Path) -> tuple[int, dict[str, Any]]:
    response = start.invoke(rest_event(photo))
    return response["statusCode"], json.loads(response["body"])


@pytest.mark.parametrize("initialization", STARTS)
def test_the_model_is_there_before_the_first_request(
    package: Path, store: Path, tmp_path: Path, photo: Path, initialization: str
) -> None:
    with starting(package, tmp_path, initialization, settings_of(store)) as start:
        shutil.rmtree(store)  # whoever loads only now finds nothing
        start.restore()
        assert ask(start, photo)[0] == 200


@pytest.mark.parametrize("initialization", STARTS)
def test_a_start_before_the_first_publication_succeeds_and_a_later_request_finds_the_model(
    package: Path, version: Path, tmp_path: Path, photo: Path, initialization: str
) -> None:
    store = tmp_path / "store"
    with starting(package, tmp_path, initialization, settings_of(store)) as start:
        assert "No model is loaded ahead" in start.log.read_text()
        assert "Publish a model there" in start.log.read_text()
        assert "Traceback" not in start.log.read_text()
        start.restore()
        assert ask(start, photo)[0] == 503
        publish(version, str(store))
        assert ask(start, photo)[0] == 200


def test_what_was_published_since_the_snapshot_is_served_at_once(
    package: Path, version: Path, aws: Ministack, tmp_path: Path, photo: Path
) -> None:
    build_version(tmp_path / "second", seed=1)
    aws.client("s3").create_bucket(Bucket="snapshots")
    publish_by_command(version, "s3://snapshots/models", aws)
    settings = {name: value for name, value in aws.env.items() if name.startswith("AWS_")}
    settings |= settings_of("s3://snapshots/models") | {"MODEL_REFRESH_SECONDS": "3600"}
    with starting(package, tmp_path, "snap-start", settings) as start:
        publish_by_command(tmp_path / "second", "s3://snapshots/models", aws)
        start.restore()
        second = json.loads((tmp_path / "second" / "model.json").read_text())["version"]
        assert ask(start, photo)[1]["model"]["version"] == second


def test_no_two_environments_of_a_snapshot_draw_the_same_numbers(
    package: Path, store: Path, tmp_path: Path
) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    settings = settings_of(store)
    with start_package(package, tmp_path, "snap-start", "probe.draw", settings) as start:
        start.restore()
        drawn = start.invoke({})
    assert drawn["random"] != random.Random(0).random()
    assert drawn["numpy"] != np.random.RandomState(0).random()
