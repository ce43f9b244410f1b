"""serve.py: the command line that `make serve` uses."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from model_loader import load_model
from training.published.publication import publish

ROOT = Path(__file__).resolve().parents[3]


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "serve.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(
    "arguments",
    [(), ("",), ("x",), ("80.5",), ("65536",), ("9" * 5000,), ("٣",), ("8000", "8001"), ("-1",)],
    ids=lambda arguments: " ".join(arguments)[:9],
)
def test_anything_but_one_port_prints_the_usage(arguments: tuple[str, ...]) -> None:
    done = serve(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: serve.py [-h] port\n")
    assert "Traceback" not in done.stderr


def test_help_says_what_the_port_is() -> None:
    assert "0 to 65535" in serve("--help").stdout


@contextmanager
def started(command: list[str], **environment: str) -> Iterator[list[str]]:
    """Run a server in a process of its own; yield the two lines that it prints once it serves."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_PROXY": "127.0.0.1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield [process.stdout.readline().rstrip() for _ in range(2)]
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # make and its server


@pytest.fixture
def store(version: Path, tmp_path: Path) -> Path:
    """A store of one model, with a space in its name."""
    store = tmp_path / "a store"
    publish(version, str(store))
    return store


@pytest.fixture
def places(version: Path, store: Path, tmp_path: Path) -> dict[str, Path]:
    """Folders that lead to one version."""
    run = tmp_path / "my run"
    shutil.copytree(version, run / "model")
    model = store / "flying-objects"
    (one,) = (model / "versions").iterdir()
    return {"run": run, "version": one, "model": model, "store": store}


@pytest.mark.parametrize("place", ["run", "version", "model", "store"])
def test_the_folder_of_a_run_a_version_a_model_or_a_store_is_a_model(
    place: str, places: dict[str, Path], version: Path
) -> None:
    assert load_model(str(places[place]), "onnx").metadata == load_model(str(version)).metadata


def test_make_serve_takes_a_run_whose_name_has_spaces_and_says_where_to_ask(
    places: dict[str, Path],
) -> None:
    command = [
        "make",
        "--no-print-directory",
        "-o",
        ".venv/bin/ready",
        "serve",
        f"MODEL_URI={places['run']}",
        "PORT=0",
    ]
    with started(command, MODEL_ENGINE="onnx") as (serving, following):
        version = load_model(str(places["version"]), "onnx").metadata.version
        assert serving.startswith(f"Serving flying-objects {version} (onnx) at http://127.0.0.1:")
        url = serving.split(" at ")[1].split(";")[0]
        assert following == f"Next: open {url}, or: curl -F file1=@IMAGE {url}/classify"
        assert requests.get(f"{url}/model", timeout=10).json()["version"] == version


def test_the_model_of_this_project_is_served_where_none_is_named() -> None:
    environment = {"MODEL_ENGINE": "onnx"}
    with started([sys.executable, "serve.py", "0"], **environment) as (serving, _):
        assert serving.startswith("Serving flying-objects ")


def damaged(places: dict[str, Path]) -> Path:
    (places["run"] / "model" / "model.onnx").write_bytes(b"half")
    return places["run"]


def two_models(places: dict[str, Path]) -> Path:
    shutil.copytree(places["model"], places["store"] / "another")
    return places["store"]


def a_run_that_was_not_exported(places: dict[str, Path]) -> Path:
    shutil.rmtree(places["run"] / "model")
    return places["run"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (damaged, "model.onnx is not the file that was published"),
        (two_models, "is a store of several models: another, flying-objects. Give the address"),
        (a_run_that_was_not_exported, "no model of the name my run is published there"),
        (lambda places: places["store"] / "ghost", "no model of the name ghost is published"),
    ],
)
def test_a_model_that_cannot_be_loaded_stops_the_start_with_a_sentence(
    spoil: Callable[[dict[str, Path]], Path],
    sentence: str,
    places: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MODEL_URI", str(spoil(places)))
    monkeypatch.setenv("MODEL_ENGINE", "onnx")
    done = serve("0")
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1, done.stderr
    line = done.stderr.strip()
    assert line.startswith("Error: ")
    assert sentence in line
    assert done.stdout == ""
