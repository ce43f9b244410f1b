"""The commands of README.md and docs/training.md work: they are run in order, on small data.

Each ```sh block runs in an empty folder that the blocks of one page share. A block that needs more
than this folder has a second word that says what, such as ```sh aws; test_docs.py parses it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import run
from tests.support.markdown import ROOT, blocks, training_arguments

ACTIVATE = ". .venv/bin/activate"
STORE = "s3://BUCKET/models"
"""What the pages publish to; here it is a folder."""

_SMALL_RUN = (
    "--weights=none",
    "--set=model=resnet18",  # exported in half the time
    "--set=sizing.size=48",
    "--set=stages.0.epochs=1",
    "--set=stages.0.learning_rate=0.01",
    "--set=stages.1.epochs=1",
    "--set=stages.1.learning_rate=0.001",
    "--set=stages.1.views=1",
)
SMALLER = {
    "sample-data": ("--per-class=10",),
    "train": (*_SMALL_RUN, "--no-report", "--cache=none"),
    "lr-find": _SMALL_RUN,
}
"""What is added to a command so that it takes seconds."""


@pytest.mark.parametrize("page", ["README.md", "docs/training.md"])
def test_the_commands_that_a_page_shows_work_one_after_the_other(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = [line for block in blocks(text) if block.words == ("sh",) for line in block.lines()]
    assert len(shown) > 2
    for line in shown:
        if line == ACTIVATE:
            continue
        arguments = training_arguments(line)
        assert arguments is not None, f"{page} shows what this test cannot run: {line}"
        words = [word.replace(STORE, str(tmp_path / "store")) for word in arguments]
        assert run(*words, *SMALLER.get(words[0], ())) == 0, line
