"""``python -m training``: a whole round, and one line for every mistake."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from typer.main import get_command

from samples.draw import CLASSES, draw_image
from tests.support.command_line import QUICK_RUN, mistake, run
from tests.support.images import encode, noise
from training import train as train_module
from training.check import check_room
from training.cli import app
from training.errors import TrainingError
from training.recipe import load_recipe

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]
SMALL = (
    "--weights=none",
    "--recipe=flying-objects-head",
    "--set=name=flying-objects",
    "--set=model=resnet18",
    "--set=sizing.size=64",
    "--set=stages.0.epochs=2",
    "--no-report",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve drawn images of each class."""
    folder = tmp_path_factory.mktemp("data") / "sample"
    assert run("sample-data", folder, "--per-class", 12) == 0
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert run("train", "--data", data, "--save", folder, *SMALL) == 0
    return folder


def test_sample_data_has_a_folder_for_each_class(data: Path) -> None:
    assert {path.name for path in data.iterdir()} == set(CLASSES)
    assert len(list(data.rglob("*.jpg"))) == 12 * len(CLASSES)


def test_a_run_writes_everything_into_its_folder(trained: Path) -> None:
    files = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    assert files == {
        "recipe.yaml",
        "data.json",
        "split.csv",
        "history.csv",
        "history-classes.csv",
        "steps.csv",
        "steps-validation.csv",
        "answers-validation.csv",
        "answers-test.csv",
        "evaluation.json",
        "checkpoints/last.ckpt",
        "checkpoints/best.pt",
        "model/model.json",
        "model/model.pt",
        "model/model.onnx",
    }


def test_training_ends_with_a_report_which_can_be_drawn_again(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_folder = tmp_path / "run"
    assert run("train", "--data", data, "--save", run_folder, *SMALL, "--report") == 0
    page = run_folder / "report.html"
    first = page.read_text(encoding="utf-8")
    assert f"Report: {page}" in " ".join(capsys.readouterr().err.split())
    page.unlink()
    assert run("report", run_folder) == 0
    assert page.read_text(encoding="utf-8") == first


def test_a_run_keeps_the_figures_of_each_epoch(trained: Path) -> None:
    header, *epochs = (trained / "history.csv").read_text().splitlines()
    assert header.startswith("stage,epoch,learning_rate,step_loss,train_loss,train_accuracy,")
    assert len(epochs) == 2


def test_the_exported_version_says_how_it_was_trained_and_how_well_it_does(trained: Path) -> None:
    document = json.loads((trained / "model" / "model.json").read_text())
    assert document["labels"] == list(CLASSES)
    assert document["recipe"]["stages"][0]["epochs"] == 2
    assert document["data"]["images"] == dict.fromkeys(CLASSES, 12)
    assert len(document["data"]["fingerprint"]) == 64
    test = document["metrics"]["test"]
    assert test["n"] == sum(row["n"] for row in test["classes"]) == document["data"]["test"]
    right = sum(row["recall"] * row["n"] for row in test["classes"])
    assert test["accuracy"] == pytest.approx(right / test["n"])


def test_the_same_seed_gives_the_same_weights(trained: Path, data: Path, tmp_path: Path) -> None:
    assert run("train", "--data", data, "--save", tmp_path / "run", *SMALL) == 0
    first, second = (
        torch.load(folder / "checkpoints" / "best.pt", weights_only=True)
        for folder in (trained, tmp_path / "run")
    )
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_runs_checkpoint_serves_as_weights(trained: Path, data: Path, tmp_path: Path) -> None:
    weights = f"--weights={trained / 'checkpoints' / 'best.pt'}"
    assert run("train", "--data", data, "--save", tmp_path / "run", *SMALL[1:], weights) == 0


def test_all_layers_can_be_trained(data: Path, tmp_path: Path) -> None:
    before = run(
        "train",
        "--data",
        data,
        "--save",
        tmp_path / "run",
        *SMALL,
        "--set=stages.0.thaw=all",
        "--set=model=mobilenet_v2",
    )
    assert before == 0
    state = torch.load(tmp_path / "run" / "checkpoints" / "best.pt", weights_only=True)
    assert int(state["features.0.1.num_batches_tracked"]) > 0


def test_a_run_is_published_and_answers(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "a picture.jpg"
    picture.write_bytes(encode(draw_image("Flying Birds", seed=9), "JPEG"))
    assert run("publish", trained, tmp_path / "store") == 0
    model = tmp_path / "store" / "flying-objects"
    said = capsys.readouterr().err
    assert f"MODEL_URI={model}" in said
    assert "no test figures" not in said
    assert run("predict", picture, picture, "--model", model, "--json") == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first == second
    assert first["image"] == str(picture)
    assert set(first["scores"]) == set(CLASSES)


def test_a_run_whose_evaluation_was_interrupted_is_published_with_a_word_on_its_figures(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = Path(shutil.copytree(trained, tmp_path / "run"))
    document = json.loads((copied / "model" / "model.json").read_text())
    (copied / "model" / "model.json").write_text(json.dumps({**document, "metrics": {}}))
    assert run("publish", copied, tmp_path / "store") == 0
    said = capsys.readouterr().err
    assert "no test figures" in said
    assert f"python -m training export {copied}" in said


def test_a_run_is_exported_again_as_a_new_version(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", "--data", data, "--save", tmp_path / "run", *SMALL) == 0
    path = tmp_path / "run" / "model" / "model.json"
    before = json.loads(path.read_text())
    assert run("export", tmp_path / "run") == 0
    after = json.loads(path.read_text())
    assert after["version"] != before["version"]
    assert after["metrics"] == before["metrics"] != {}
    assert after["self_test"]["probabilities"] == pytest.approx(
        before["self_test"]["probabilities"]
    )


def test_an_empty_folder_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save = tmp_path / "run"
    (tmp_path / "data").mkdir()
    line = mistake(capsys, "train", "--data", tmp_path / "data", "--save", save, *SMALL)
    assert "has no images in class folders" in line
    assert not save.exists()


def test_one_class_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data" / "birds"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(encode(noise(40, 40), "PNG"))
    line = mistake(capsys, "train", "--data", tmp_path / "data", *SMALL)
    assert "one class only, 'birds'" in line


def with_bad_images(data: Path, folder: Path, content: bytes, count: int) -> Path:
    """Return a copy of a data folder, with some files that are no images."""
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
        for path in (data / label).iterdir():
            (folder / label / path.name).symlink_to(path)
    for i in range(count):
        (folder / CLASSES[0] / f"bad {i}.jpg").write_bytes(content)
    return folder


@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0 cut short"])
def test_many_unreadable_images_are_a_mistake_and_nothing_is_written(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    save = tmp_path / "run"
    broken = with_bad_images(data, tmp_path / "data", content, 6)
    line = mistake(capsys, "train", "--data", broken, "--save", save, *SMALL)
    assert "bad " in line
    assert "cannot be used" in line
    assert not save.exists()


def test_a_single_unreadable_image_is_named_left_out_and_counted(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = with_bad_images(data, tmp_path / "data", b"not an image", 1)
    assert run("train", "--data", broken, "--save", tmp_path / "run", *SMALL) == 0
    assert "bad 0.jpg" in capsys.readouterr().err
    skipped = json.loads((tmp_path / "run" / "data.json").read_text())["skipped"]
    assert [entry["file"] for entry in skipped] == [f"{CLASSES[0]}/bad 0.jpg"]


def test_a_run_that_is_finished_is_not_resumed(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (trained / "model" / "model.json").read_bytes()
    line = mistake(capsys, "train", "--resume", trained)
    assert "is finished" in line
    assert f"report {trained}" in line
    assert (trained / "model" / "model.json").read_bytes() == before


@pytest.mark.parametrize("option", ["--set=seed=3", "--save=x"])
def test_what_is_for_a_new_run_is_refused_when_one_is_resumed(
    trained: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    line = mistake(capsys, "train", "--resume", trained, option)
    assert f"{option.partition('=')[0]} is for a new run" in line


def test_training_needs_data_or_a_run_to_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Give --data DIR" in mistake(capsys, "train")
    assert "no checkpoint" in mistake(capsys, "train", "--resume", tmp_path)


def test_images_that_changed_since_cannot_be_resumed_on(
    data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = Path(shutil.copytree(trained, tmp_path / "run"))
    described = json.loads((copied / "data.json").read_text())
    other = with_bad_images(data, tmp_path / "data", b"", 0)
    changed = next((other / CLASSES[1]).iterdir())
    changed.unlink()
    changed.write_bytes(encode(noise(50, 50), "JPEG"))
    (copied / "data.json").write_text(json.dumps({**described, "root": str(other)}))
    line = mistake(capsys, "train", "--resume", copied)
    assert "are not those that" in line


def test_a_range_test_suggests_a_rate(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curve = tmp_path / "curve.csv"
    options = ["--recipe", "flying-objects-head", "--set", "sizing.size=64"]
    code = run(
        *("lr-find", "--data", data, "--weights", "flying-objects"),
        *options,
        "--output",
        curve,
        *("--cache", tmp_path / "cache"),
    )
    assert code == 0
    assert "Suggestion: --set stages.0.learning_rate=" in capsys.readouterr().err
    assert curve.read_text().startswith("learning_rate,loss")


def test_a_split_of_the_users_own_is_kept_to(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split = tmp_path / "split.csv"
    assert run("split", data, "--to", split, "--seed", 3) == 0
    save = tmp_path / "run"
    assert run("train", "--data", data, "--split", split, "--save", save, *SMALL) == 0
    assert sorted((save / "split.csv").read_text().splitlines()) == sorted(
        split.read_text().splitlines()
    )


def test_a_tracker_that_is_not_known_is_a_mistake(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save = tmp_path / "run"
    line = mistake(capsys, "train", "--data", data, "--save", save, *SMALL, "--tracker", "notebook")
    assert "no tracker 'notebook'; there is none, tensorboard, wandb" in line
    assert not save.exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [("train", "no epoch is kept to go on from. Train again."), ("lr-find", "keeps nothing")],
)
def test_ctrl_c_while_images_are_read_says_what_was_kept(
    command: str,
    said: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train_module, "read_images", interrupted)
    monkeypatch.chdir(tmp_path)
    assert run(command, "--data", data, "--weights", "none") == 130
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_a_resumed_run_reads_its_images_says_how_to_go_on(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "read_split_images", interrupted)
    assert run("train", "--resume", trained) == 130
    assert f"python -m training train --resume {trained}" in capsys.readouterr().err


def ctrl_c(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("command", ["train", "lr-find"])
def test_a_cache_that_cannot_be_one_is_a_mistake_before_any_image_is_read(
    command: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(train_module, "read_images", pytest.fail)
    line = mistake(capsys, command, "--data", data, "--cache", tmp_path / "file" / "cache")
    assert f"{tmp_path / 'file' / 'cache'} cannot be written" in line


def test_a_tracker_writes_into_the_runs_folder(data: Path, tmp_path: Path) -> None:
    options = ["--save", tmp_path / "run", *SMALL, "--tracker", "tensorboard"]
    assert run("train", "--data", data, *options) == 0
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


def test_an_unknown_recipe_key_is_a_mistake(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = mistake(
        capsys, "train", "--data", data, "--set", "batchsize=3", "--save", tmp_path / "r"
    )
    assert "did you mean 'batch_size'?" in line
    assert not (tmp_path / "r").exists()


def test_a_folder_in_use_is_never_written_into(
    data: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = mistake(capsys, "train", "--data", data, "--save", trained, *SMALL)
    assert "exists already" in line
    assert "exists already" in mistake(capsys, "sample-data", data)


@pytest.mark.parametrize("command", ["export", "publish", "evaluate", "predict"])
def test_a_folder_that_is_no_run_is_a_mistake(
    command: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, list[object]] = {
        "export": [tmp_path],
        "publish": [tmp_path, tmp_path / "store"],
        "evaluate": [tmp_path, "--data", data],
        "predict": [next(data.rglob("*.jpg")), "--model", tmp_path],
    }
    line = mistake(capsys, command, *options[command])
    assert str(tmp_path) in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "content"),
    [("data.json", "[]"), ("data.json", '{"labels": 5}'), ("checkpoints/best.pt", "text")],
)
def test_a_damaged_run_is_named(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, content: str
) -> None:
    copied = Path(shutil.copytree(trained, tmp_path / "run"))
    (copied / file).write_text(content)
    assert file in mistake(capsys, "export", copied)


def test_data_of_other_classes_is_a_mistake(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("Flying Birds", "Kites"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.png").write_bytes(encode(noise(40, 40), "PNG"))
    line = mistake(capsys, "evaluate", trained / "model", "--data", tmp_path)
    assert "'Kites', which the model does not know" in line


def test_an_image_that_is_not_there_is_a_mistake(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = mistake(capsys, "predict", tmp_path / "none.jpg", "--model", trained)
    assert f"There is no {tmp_path / 'none.jpg'}" in line


@pytest.mark.parametrize(
    ("moment", "goes_on"),
    [
        ("training.fitting.run_images.read_contents", False),
        ("training.fitting.stage_data.compute_features", False),
        ("training.fitting.fit.find_rate", False),
        ("training.fitting.task.StageTask.training_step", False),
        ("training.fitting.task.StageTask.validation_step", False),
        ("training.finish.export_version", True),
        ("training.finish.answer_images", True),
    ],
)
def test_ctrl_c_at_any_moment_leaves_what_the_same_or_the_printed_command_goes_on_with(
    moment: str,
    goes_on: bool,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "my run"
    stage = "--set=stages=[{thaw: head, epochs: 1, learning_rate: auto}]"
    command = ["train", "--data", data, "--save", folder, *QUICK_RUN, stage]
    with monkeypatch.context() as patch:
        patch.setattr(moment, ctrl_c)
        assert run(*command) == 130
        signal.signal(signal.SIGINT, signal.default_int_handler)
    error = capsys.readouterr().err
    assert "Traceback" not in error
    printed = error.partition("python -m training ")[2]
    assert bool(printed) == goes_on
    assert folder.exists() == goes_on
    assert run(*(shlex.split(printed) if printed else command)) == 0
    assert (folder / "evaluation.json").is_file()


@pytest.mark.parametrize(
    ("options", "says", "imports"),
    [
        (["--data=none"], "There is no folder none", "torch"),
        (["--save=tests"], "tests exists already", "torch"),
        (["--save=README.md/run"], "README.md is no folder to write to", "torch"),
        (["--cache=README.md"], "The cache README.md cannot be written", "torch"),
        (["--groups=none.csv"], "groups in none.csv cannot be read", "torch"),
        (["--split=none.csv"], "split in none.csv cannot be read", "torch"),
        (["--tracker=none-such"], "There is no tracker", "torch"),
        (["--accelerator=tpu"], "--accelerator tpu cannot be used", "torch"),
        (["--recipe=none-such"], "There is no recipe", "lightning"),
        (["--set=stages.0.epochs=-1"], "stages.0.epochs", "lightning"),
        (["--set=stages.0.thaw=99"], "thaws 99 blocks", "lightning"),
        (["--weights=none-such"], "There are no weights at none-such", "lightning"),
        (["--weights=flying-objects", "--set=model=resnet18"], "do not belong to", "lightning"),
    ],
)
def test_what_can_be_refused_at_once_is_before_the_slow_imports_and_any_image(
    options: list[str], says: str, imports: str, data: Path, tmp_path: Path
) -> None:
    arguments = ["train", "--data", str(data), "--save", str(tmp_path / "run"), *options]
    code = (
        "import sys; from training.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 2\n"
        f"assert {imports!r} not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert says in line
    assert not (tmp_path / "run").exists()


def test_outputs_of_frozen_layers_without_room_are_refused_with_the_key_that_avoids_them() -> None:
    recipe = load_recipe("tiny-imagenet-alexnet")
    needed = 4096 * 4 * (17_000 * 20 // 20)  # 70 % train and 15 % validate, one view each
    check_room(recipe, 20_000, Path("runs"), free=needed + 1)
    with pytest.raises(TrainingError, match=r"Stage 1 .* 0\.3 GB, .*stages\.0\.views=0"):
        check_room(recipe, 20_000, Path("runs"), free=needed - 10_000)
    fresh = load_recipe("tiny-imagenet-alexnet", ["stages.0.views=0"])
    check_room(fresh, 20_000, Path("runs"), free=0)


def test_the_end_of_a_run_says_where_decoded_images_are_and_how_to_empty_that(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--data", data, "--save", tmp_path / "run", *QUICK_RUN]
    assert run(*command, "--cache", tmp_path / "my cache") == 0
    said = capsys.readouterr().err
    (place,) = (line for line in said.splitlines() if line.startswith("Decoded images"))
    (empty,) = (line for line in said.splitlines() if line.startswith("Empty it: "))
    kept = sorted((tmp_path / "my cache").glob("*/levels.u8"))
    assert kept
    assert place.endswith(f" GB in {tmp_path / 'my cache'}")
    subprocess.run(empty.removeprefix("Empty it: "), shell=True, check=True)
    assert not any(map(Path.exists, kept))


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_h_is_help_on_every_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for option in ("-h", "--help"):
        assert run(*([command] if command else []), option) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "Usage" in said[0]


@pytest.mark.parametrize(
    "script",
    [
        ["demo.py"],
        ["serve.py"],
        ["-m", "benchmarks"],
        ["-m", "tools.screenshots"],
        ["-m", "tools.local_aws.install"],
        ["-m", "deploy.build_zip"],
    ],
)
def test_h_is_help_on_every_script_and_does_nothing_else(script: list[str]) -> None:
    done = subprocess.run([sys.executable, *script, "-h"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
    assert "-h, --help" in done.stdout


def test_help_teaches_without_importing_torch() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from training.cli import app;"
        "result = CliRunner().invoke(app, ['--help']); print(result.output);"
        "assert 'torch' not in sys.modules and 'lightning' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for command in (
        "sample-data",
        "inspect",
        "clean",
        "split",
        "tiny-imagenet",
        "preview",
        "models",
        "train",
        "lr-find",
        "evaluate",
        "export",
        "publish",
        "cost",
        "predict",
        "webcam",
    ):
        assert command in done.stdout
