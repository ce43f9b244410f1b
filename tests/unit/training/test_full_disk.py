"""A disk that is full, or takes no more, at each file that a run writes.

Each time: one sentence with the reason and what to do, exit code 2, and nothing half-written.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from tests.support.command_line import QUICK_RUN, mistake, run
from tests.support.failing_writes import WORDS, failing, unfinished
from tests.support.fitting_material import fit, go_on, material, recipe
from training import finish as finish_module
from training.errors import TrainingError
from training.run import Run

BEFORE_AN_EPOCH = (
    "recipe.yaml",
    "data.json",
    "split.csv",
    "stage-1.csv",  # the range test
    "steps.csv",
    "steps-validation.csv",
    "best.pt",
    "history.csv",
    "history-classes.csv",
    "last.ckpt",
)
AFTER_AN_EPOCH = ("steps.csv", "steps-validation.csv", "history.csv", "last.ckpt")
EXPORTED = (
    "model.pt",
    "model.onnx",
    "model.json",
    "answers-validation.csv",
    "answers-test.csv",
    "evaluation.json",
)
REMEDIES = {errno.ENOSPC: "Make room", errno.EDQUOT: "Make room", errno.EACCES: "Make it writable"}


@pytest.fixture
def data(finished: Path) -> Path:
    return finished / "data"


@pytest.fixture
def trained(finished: Path) -> Path:
    return finished / "run"


def test_before_an_epoch_is_finished_nothing_is_left_and_the_same_command_works(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs" / "run"
    options = ("--data", data, "--save", folder, *QUICK_RUN)
    command = ("train", *options, "--set=stages.0.learning_rate=auto")
    for place, name in enumerate(BEFORE_AN_EPOCH):
        number = list(WORDS)[place % len(WORDS)]
        with failing(name, number):
            line = mistake(capsys, *command)
        assert WORDS[number] in line, name
        assert REMEDIES[number] in line, name
        assert line.count("train again") == 1, line
        assert "--resume" not in line, name
        assert not folder.exists(), (name, list(folder.rglob("*")))
    assert run(*command) == 0


@pytest.mark.parametrize("number", WORDS)
def test_a_run_of_which_an_epoch_is_finished_goes_on_from_it(tmp_path: Path, number: int) -> None:
    images, stages = material(), recipe("thaw: head, epochs: 1", "thaw: all, epochs: 2")
    fit(tmp_path, recipe("thaw: head, epochs: 1"), images)
    kept = Run(tmp_path).last.read_bytes()
    for name in AFTER_AN_EPOCH:
        with failing(name, number), pytest.raises(TrainingError) as caught:
            go_on(tmp_path, stages, images)
        assert f"{WORDS[number]}. {REMEDIES[number]}, then go on with: " in str(caught.value)
        assert str(caught.value).endswith(f"python -m training train --resume {tmp_path}")
        assert Run(tmp_path).last.read_bytes() == kept, name
        assert unfinished(tmp_path) == []
    _, made = go_on(tmp_path, stages, images)
    assert len(made.epochs) == 3
    for path in (Run(tmp_path).steps, Run(tmp_path).validation_steps):
        rows = path.read_text().splitlines()[1:]
        assert len(set(rows)) == len(rows)
        assert {row.split(",")[1] for row in rows} == {"0", "1", "2"}


def test_what_was_trained_is_exported_when_there_is_room(
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "run"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for place, name in enumerate(EXPORTED):
        number = list(WORDS)[place % len(WORDS)]
        if name.startswith("answers"):  # to be quicker: the version that is there is measured
            monkeypatch.setattr(finish_module, "_export", lambda *_: None)
        with failing(name, number):
            line = mistake(capsys, "export", folder)
        assert f"{WORDS[number]}. {REMEDIES[number]}, then export again: " in line, name
        assert line.endswith(f"python -m training export {folder}")
        assert unfinished(folder) == []
        assert {path for path in folder.rglob("*") if path.is_file()} == set(before)
        assert place > 2 or all(path.read_bytes() == before[path] for path in before), name
    monkeypatch.undo()
    assert run("export", folder) == 0


@pytest.mark.parametrize("number", WORDS)
def test_a_report_that_cannot_be_written_is_one_sentence(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "run"))
    with failing("report.html", number):
        line = mistake(capsys, "report", folder)
    assert f"The report of {folder} cannot be written: {WORDS[number]}. {REMEDIES[number]}" in line
    assert unfinished(folder) == []
    assert not (folder / "report.html").exists()


def test_a_cache_that_fills_the_disk_says_so_and_the_same_command_works(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, cache = tmp_path / "run", tmp_path / "cache"
    command = ("train", "--data", data, "--save", folder, *QUICK_RUN, "--cache", cache)
    for name in ("levels.u8", "index.json"):
        with failing(name, errno.ENOSPC):
            line = mistake(capsys, *command)
        assert f"{cache} cannot be written: {os.strerror(errno.ENOSPC)}. Free some space" in line
        assert not folder.exists()
        assert unfinished(cache) == []
    assert run(*command) == 0
