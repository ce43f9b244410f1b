"""SIGTERM and SIGHUP end a command as Ctrl-C does: it says how to go on, and leaves no half file.

Spot instances, Slurm and Kubernetes send the one, a terminal that is closed the other.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.command_line import QUICK_RUN, run
from tests.support.failing_writes import at_write, unfinished
from training import train as train_module
from training.errors import EndSignals

ENDING = (signal.SIGTERM, signal.SIGHUP)

KILLED = """
import os, signal, sys
from tests.support.failing_writes import at_write
from training.cli import main
sys.argv = ["training", "export", sys.argv[1]]
with at_write("model.onnx", lambda: os.kill(os.getpid(), signal.SIGKILL)):
    main()
"""


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    """Whoever runs these tests may ignore SIGHUP, as nohup does."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def data(finished: Path) -> Path:
    return finished / "data"


@pytest.fixture
def trained(finished: Path) -> Path:
    return finished / "run"


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error.strip().splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM])  # SIGHUP: the test of export, it is quicker
def test_a_training_that_is_told_to_end_says_how_to_go_on(
    number: signal.Signals,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "run"
    command: tuple[object, ...] = ("train", "--data", data, "--save", folder, *QUICK_RUN)
    end = partial(os.kill, os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(train_module, "read_images", lambda *_: end())
        assert run(*command) == 128 + number
    assert "no epoch is kept to go on from. Train again." in last_line(capsys)
    assert not folder.exists()

    for name in ("recipe.yaml", "steps.csv", "last.ckpt"):
        with at_write(name, end):
            assert run(*command) == 128 + number
        said = "before an epoch was finished: nothing is kept to go on from. Train again."
        assert said in last_line(capsys)
        assert not folder.exists()

    for name in ("model.onnx", "answers-test.csv"):
        with at_write(name, end):
            assert run(*command) == 128 + number
        line = last_line(capsys)
        assert "after 1 epochs, which are kept. Go on with: python -m training train" in line
        assert line.endswith(f"--resume {folder}")
        assert unfinished(folder) == []
        command = ("train", "--resume", folder, "--no-report")
    assert run(*command) == 0
    assert (folder / "evaluation.json").is_file()


@pytest.mark.parametrize("number", ENDING)
def test_an_export_that_is_told_to_end_keeps_the_version_that_was_there(
    number: signal.Signals, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "run"))
    before = (folder / "model" / "model.json").read_bytes()
    with at_write("model.onnx", partial(os.kill, os.getpid(), number)):
        assert run("export", folder) == 128 + number
    assert f"export again: python -m training export {folder}" in last_line(capsys)
    assert (folder / "model" / "model.json").read_bytes() == before
    assert unfinished(folder) == []


def test_what_a_killed_export_left_is_removed_by_the_next_one(
    trained: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "run"))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [name.partition("-")[0] for name in unfinished(folder)] == [".export"]
    assert run("export", folder) == 0
    assert unfinished(folder) == []


def test_a_signal_that_is_ignored_stays_ignored_and_a_second_one_does_not_interrupt() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals, cleaned = EndSignals(), False
    with signals.handled():
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned = True
    assert cleaned
    assert signals.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
