"""The one-way doors: handler → model_loader ← training, and what each may import."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.local_aws.gateway_events import rest_event

ROOT = Path(__file__).resolve().parents[2]
COSTLY = {
    "PIL.GifImagePlugin",
    "difflib",
    "http.server",
    "multiprocessing",
    "numpy.typing",
    "socketserver",
    "uuid",
    "werkzeug.routing",
    "werkzeug.serving",
}
"""Each takes milliseconds, and the answer to a JPEG needs none."""
HEAVY = ("torch", "torchvision", "onnxruntime", "boto3", "lightning", "matplotlib", "sklearn")


@pytest.mark.parametrize("module", ["model_loader", "handler"])
def test_importing_what_serves_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_a_cold_start_with_onnx_imports_only_what_the_first_answer_needs(
    published: str, photo: bytes, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo)
    (tmp_path / "event.json").write_text(json.dumps(rest_event(tmp_path / "photo.jpg")))
    code = (
        "import json, pathlib, sys; before = {*sys.modules}; import handler;"
        f"event = json.loads(pathlib.Path({str(tmp_path / 'event.json')!r}).read_bytes());"
        "assert handler.lambda_handler(event, None)['statusCode'] == 200;"
        "import gc; assert gc.isenabled(); print(); print(*{*sys.modules} - before)"
    )
    environment = {
        **os.environ,
        "MODEL_URI": published,
        "MODEL_ENGINE": "onnx",
        "AWS_LAMBDA_FUNCTION_NAME": "classifier",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {*done.stdout.splitlines()[-1].split()}
    assert imported & COSTLY == set()
    libraries = {"PIL", "markupsafe", "numpy", "onnxruntime", "pybase64", "werkzeug"}
    own = {"handler", "model_loader", "serverless_wsgi", "service"}
    packages = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    assert packages == libraries | own


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("model_loader", {"training", "handler", "service", "torchvision", "boto3", "werkzeug"}),
        ("service", {"training", "handler", "torchvision", "torch"}),
        ("training", {"handler", "service"}),
    ],
)
def test_a_package_imports_nothing_behind_its_doors(package: str, forbidden: set[str]) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert _imported(path) & forbidden == set(), path


def test_torchvision_is_imported_in_one_place() -> None:
    importing = {
        path.name for path in (ROOT / "training").rglob("*.py") if "torchvision" in _imported(path)
    }
    assert importing == {"torchvision_import.py"}


def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names
