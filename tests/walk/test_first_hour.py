"""From a folder to an answer and back, by the commands that the commands before name.

Each step runs the last line of the step before it. What is added is what docs/training.md explains:
smaller images and fewer epochs here, so that the walk takes a minute.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.odd_images import LABELS, divide, put_images

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    "--recipe=flying-objects-head --weights=flying-objects --set=name=kites"
    " --set=sizing.size=64 --set=stages.0.epochs=40"
)
_COMMAND = re.compile(r"(?:python -m training|make serve|open) .*")


class Walk:
    """Somebody in a folder who types what the last line says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = ""

    def type(self, line: str) -> str:
        """Run a command that must succeed; return the one that its last line names."""
        process = self.begin(line)
        self.said = process.communicate()[0]
        assert process.returncode == 0, f"{line}\n{self.said}"
        return self._next()

    def interrupt(self, line: str, at: str) -> str:
        """Press Ctrl-C as soon as a command says something; return the one it names then."""
        process = self.begin(line)
        assert process.stdout is not None
        assert any(at in said for said in iter(process.stdout.readline, ""))
        process.send_signal(signal.SIGINT)
        self.said = process.communicate()[0]
        assert process.returncode == 130
        assert "Traceback" not in self.said
        return self._next()

    def begin(self, line: str) -> subprocess.Popen[str]:
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "training"], line
        return subprocess.Popen(
            [sys.executable, *words[1:]],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _next(self) -> str:
        last = self.said.strip().splitlines()[-1]
        named = _COMMAND.search(last)
        assert named, f"The last line names no command: {last}"
        return named.group()

    @contextmanager
    def served(self, line: str) -> Iterator[str]:
        """Run what `make serve MODEL_URI=…` runs; yield the service's address."""
        model = shlex.split(line)[2].removeprefix("MODEL_URI=")
        process = subprocess.Popen(
            [sys.executable, ROOT / "serve.py", "0"],
            cwd=self.folder,
            env={**os.environ, "MODEL_URI": model},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                assert process.stdout is not None
                said = iter(process.stdout.readline, "")
                yield next(m.group() for text in said if (m := re.search(r"http://[\d.:]+", text)))
            finally:
                process.kill()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images") / "drawn"
    put_images(folder)
    return folder


@pytest.fixture
def walk(images: Path, tmp_path: Path) -> Walk:
    """Somebody in a folder that holds `my photos`."""
    shutil.copytree(images, tmp_path / "my photos")
    return Walk(tmp_path)


def test_from_a_folder_to_answers_and_back_to_the_version_before(walk: Walk) -> None:
    line = walk.type("python -m training inspect 'my photos'")
    assert "copies" in walk.said
    line = walk.type(line)
    assert "Nothing was written" in walk.said
    line = walk.type(line)
    line = walk.type(line)
    assert all(label in walk.said for label in LABELS)

    line = walk.interrupt(f"{line} {SMALL}", at="Epoch 3/40")
    line = walk.type(line)
    assert "40/40" in walk.said
    run = shlex.split(line)[-2]

    walk.type(f"python -m training report {run}")
    walk.type(f"python -m training evaluate {run}")
    published = walk.type(walk.type(f"python -m training export {run} --target-precision 0.05"))
    first = version_of(walk.said)
    assert first

    with walk.served(published) as url:
        asked = walk.type(f"python -m training predict 'my photos-clean' --endpoint {url}")
    assert asked
    with walk.served(f"make serve MODEL_URI={run}") as url:
        walk.type(f"python -m training predict 'my photos-clean' --endpoint {url} --csv all.csv")
    assert (walk.folder / "all.csv").is_file()

    walk.type(walk.type(f"python -m training export {run} --target-precision 0"))
    second = version_of(walk.said)
    assert first != second
    store = shlex.split(published)[2].removeprefix("MODEL_URI=")
    walk.type(f"python -m training rollback {store}")
    assert first in walk.said


def test_a_folder_that_is_split_already_needs_no_split(walk: Walk) -> None:
    divide(walk.folder / "my photos")
    line = walk.type("python -m training inspect 'my photos'")
    line = walk.type(walk.type(line))
    assert " train " in line
    run = shlex.split(walk.type(f"{line} {SMALL} --no-report"))[-2]
    assert (walk.folder / run / "model" / "model.onnx").is_file()


def version_of(said: str) -> str:
    """Return the version that `publish` made the current one."""
    found = re.search(r"Version (\S+) is the current one", said)
    assert found, said
    return found.group(1)
