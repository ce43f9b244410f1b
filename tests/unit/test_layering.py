"""The one-way doors: handler → model_loader ← training, and what each may import."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
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
        (
            "model_loader",
            {"training", "samples", "handler", "service", "torchvision", "flask", "werkzeug"},
        ),
        ("service", {"training", "samples", "handler", "torchvision", "torch", "boto3"}),
        ("training", {"handler", "service"}),
        ("samples", {"training", "model_loader", "handler", "service", "torch"}),
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


PRODUCT = ("deploy", "model_loader", "samples", "service", "training")
"""What is built, apart from the two files at the top: handler.py and serve.py."""


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert list(_circles(_imports())) == []


def test_no_room_imports_itself_by_way_of_others() -> None:
    rooms: dict[str, set[str]] = {}
    for module, imported in _imports().items():
        found = rooms.setdefault(_room(module), set())
        found |= {_room(other) for other in imported} - {_room(module)}
    assert list(_circles(rooms)) == []


def test_benchmarks_and_tests_share_tools_and_not_each_other() -> None:
    forbidden = {"benchmarks": {"tests"}, "tools": {"tests", "benchmarks"}}
    for package, names in forbidden.items():
        for path in (ROOT / package).rglob("*.py"):
            assert _imported(path) & names == set(), path


def test_files_and_folders_can_be_taken_in() -> None:
    files = [path for package in PRODUCT for path in (ROOT / package).rglob("*.py")]
    too_long = {path for path in files if len(path.read_text(encoding="utf-8").splitlines()) > 300}
    assert too_long == set()
    siblings = Counter(path.parent for path in files if path.name != "__init__.py")
    assert {folder for folder, count in siblings.items() if count > 20} == set()
    assert siblings[ROOT / "training"] - 1 <= 14  # __main__.py apart


def _room(module: str) -> str:
    """Return the package of a module; of training, its own room there."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "training" else parts[0]


def _imports() -> dict[str, set[str]]:
    """Return each module of the product with those of them that it imports, wherever it does."""
    paths = [
        *ROOT.glob("*.py"),
        *(file for name in PRODUCT for file in (ROOT / name).rglob("*.py")),
    ]
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }
    found: dict[str, set[str]] = {}
    for module, path in modules.items():
        names = found[module] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= inner if inner & modules.keys() else {node.module}
        names &= modules.keys()
        names.discard(module)
    return found


def _circles(imports: dict[str, set[str]]) -> Iterator[list[str]]:
    """Yield a circle from each node that can be reached from itself."""
    for start in imports:
        reached: dict[str, list[str]] = {start: [start]}
        waiting = [start]
        while waiting:
            here = waiting.pop()
            for other in sorted(imports.get(here, ())):
                if other == start:
                    yield [*reached[here], start]
                    waiting.clear()
                    break
                if other not in reached:
                    reached[other] = [*reached[here], other]
                    waiting.append(other)
