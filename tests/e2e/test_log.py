"""The log as Lambda collects it: what the function really writes under Lambda's own runtime."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.embedded_metrics import embedded_metrics
from tests.support.versions import build_version
from tools.local_aws.gateway_events import rest_event
from tools.local_aws.rie import run_checkout
from training.published.publication import publish

pytestmark = pytest.mark.e2e


def logged(log: Path) -> list[dict[str, Any]]:
    """Return the JSON lines of the emulator's log; all others must be the emulator's own."""
    lines = []
    for line in log.read_text().splitlines():
        if line.startswith("{"):
            lines.append(json.loads(line))
        else:
            assert "request_id" not in line
    return lines


def test_each_request_and_each_new_version_leaves_one_line_of_json(
    tools: None, version: Path, photo: Path, tmp_path: Path
) -> None:
    address = publish(version, str(tmp_path / "store"))
    settings = {
        "MODEL_URI": address,
        "MODEL_ENGINE": "onnx",
        "MODEL_REFRESH_SECONDS": "0.2",
        "METRICS_NAMESPACE": "flying-objects",
        "AWS_LAMBDA_FUNCTION_NAME": "flying-objects-dev-classifier",
    }
    newer = build_version(tmp_path / "newer", seed=1)
    with run_checkout(tmp_path, settings) as function:
        function.invoke(rest_event(photo))
        publish(tmp_path / "newer", str(tmp_path / "store"))
        time.sleep(0.3)
        function.invoke(rest_event(photo))
        function.invoke({})
    first, swap, second, refused = logged(tmp_path / "emulator.log")
    assert [line["status"] for line in (first, second, refused)] == [200, 200, 400]
    assert [line["cold_start"] for line in (first, second, refused)] == [True, False, False]
    assert len({line["request_id"] for line in (first, second, refused)}) == 3
    assert swap["level"] == "INFO"
    assert swap["message"] == f"Version {newer.version} is served from now on"
    assert second["version"] == newer.version
    for line in (first, second, refused):
        assert "flying-objects errors_5xx" in embedded_metrics(line)
    assert first["FunctionName"] == "flying-objects-dev-classifier"
