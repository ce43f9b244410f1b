"""What a run cannot be trained on or with is refused before anything is read, and nothing stays."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support.command_line import mistake
from training.check import check_network
from training.errors import TrainingError
from training.fitting.hardware import PRECISIONS, Hardware
from training.recipe import load_recipe

ROOT = Path(__file__).resolve().parents[4]
RECIPE = load_recipe("flying-objects-head")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--accelerator=gpu"], "--accelerator gpu cannot be used here"),
        (["--accelerator=cuda"], "--accelerator cuda cannot be used here"),
        (["--accelerator=mps"], "--accelerator mps cannot be used here"),
        (["--accelerator=tpu"], "--accelerator tpu cannot be used here"),
        (["--accelerator=foo"], "--accelerator foo cannot be used here"),
        (["--accelerator="], "cannot be used here"),
        (["--precision=foo"], "--precision foo .* give 32-true, bf16-mixed, 16-mixed"),
        (["--precision=16-true"], "--precision 16-true .* give 32-true"),
        (["--precision=bf16-true"], "--precision bf16-true .* give 32-true"),
        (["--precision=64-true"], "--precision 64-true .* give 32-true"),
        (["--precision=transformer-engine"], "--precision transformer-engine .* give 32-true"),
        (["--precision=16-mixed", "--accelerator=cpu"], "16-mixed needs a GPU"),
        (["--precision=16", "--accelerator=cpu"], "16-mixed needs a GPU"),
    ],
)
def test_what_cannot_be_trained_on_is_one_sentence_before_the_data_is_looked_for(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if torch.cuda.is_available() and options[0] in ("--accelerator=gpu", "--accelerator=cuda"):
        options, says = ["--accelerator=foo"], "--accelerator foo cannot be used here"
    command = ["train", "--data", tmp_path / "not there", "--save", tmp_path / "run"]
    line = mistake(capsys, *command, "--recipe", "flying-objects-head", *options)
    assert re.search(says, line), line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("precision", [name for name in PRECISIONS if name != "16-mixed"])
def test_precisions_have_short_names(precision: str) -> None:
    short = precision.partition("-")[0]
    assert Hardware.from_environment("cpu", short).precision == precision


@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "x"},
        {"WORLD_SIZE": "2"},
        {"WORLD_SIZE": "-2"},
        {"WORLD_SIZE": ""},
        {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost"},
        {"RANK": "1"},
        {"LOCAL_RANK": "1"},
        {"LOCAL_WORLD_SIZE": "0"},
        {"LOCAL_WORLD_SIZE": "2"},
        {"WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "h", "MASTER_PORT": "1"},
    ],
    ids=str,
)
def test_an_environment_that_torchrun_does_not_make_is_refused(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match="which torchrun does not set so. Start several"):
        Hardware.from_environment("cpu", "32-true")


def test_the_environment_is_looked_at_before_lightning_reads_it() -> None:
    command = [sys.executable, "-m", "training", "train", "--data", "not there"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "RANK": "x"}, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: The environment has RANK=x")


def test_a_batch_that_is_too_small_for_the_processes_is_refused() -> None:
    small = RECIPE.model_copy(update={"batch_size": 5})
    with pytest.raises(TrainingError, match="leaves 1 for each: start 2 at most, .*batch_size=8"):
        Hardware("cpu", world=4, local_world=4).check(small)


@pytest.mark.parametrize(
    ("model", "blocks"), [("densenet121", 11), ("vit_b_32", 13), ("regnet_x_400mf", 5)]
)
def test_each_stage_is_checked_against_the_models_blocks(model: str, blocks: int) -> None:
    stages = "[{thaw: head, epochs: 1, learning_rate: 1}, {thaw: %d, epochs: 1, learning_rate: 1}]"

    def with_blocks(thawed: int) -> list[str]:
        return [f"model={model}", f"stages={stages % thawed}"]

    check_network(load_recipe("flying-objects", with_blocks(blocks)))
    with pytest.raises(
        TrainingError,
        match=rf"stages.1.thaw .* thaws {blocks + 1} blocks, but the model has {blocks}",
    ):
        check_network(load_recipe("flying-objects", with_blocks(blocks + 1)))
