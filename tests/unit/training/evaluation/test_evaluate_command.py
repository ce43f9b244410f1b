"""``evaluate`` and ``export --target-precision``: a run on its own images, a model on a folder."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from werkzeug.test import Client

from handler import create_app
from model_loader import SharedModel, load_model
from samples.draw import CLASSES, draw_sample_data
from tests.support.command_line import SMALL_RUN, mistake, run
from tests.support.images import encode, noise
from training import run_data as run_data_module
from training.data.split import PARTS, Split, read_split, write_split
from training.evaluation import tables as evaluation_tables
from training.evaluation.answers import Answers, read_answers
from training.evaluation.figures import measure
from training.finish import finish_run
from training.output import printing
from training.output.terminal import Terminal
from training.run import Run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four drawn images of each class."""
    folder = tmp_path_factory.mktemp("data") / "sample"
    draw_sample_data(folder, 24, seed=0)
    return folder


@pytest.fixture(scope="module")
def sources(data: Path) -> Path:
    """A table of groups and sources: of each class, every second image is of 'phone'."""
    path = data.parent / "provenance.csv"
    lines = [
        f"{file.relative_to(data).as_posix()},,{('phone', 'web')[i % 2]}"
        for i, file in enumerate(sorted(data.rglob("*.jpg")))
    ]
    path.write_text("file,group,source\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(data: Path, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained for an epoch: right more often than not, and often wrong."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert run("train", "--data", data, "--groups", sources, "--save", folder, *SMALL_RUN) == 0
    return folder


def model_json(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "model" / "model.json").read_text())
    return document


def test_a_run_keeps_its_answers_and_figures(trained: Path) -> None:
    split = read_split(trained / "split.csv")
    for part, rows in (("validation", split.validation), ("test", split.test)):
        assert read_answers(trained / f"answers-{part}.csv").rows == rows
    metadata = load_model(str(trained / "model")).metadata
    kept = read_answers(trained / "answers-test.csv")
    found = measure(kept, metadata.temperature, metadata.threshold)
    written = json.loads((trained / "evaluation.json").read_text())
    assert written == json.loads(json.dumps(found.to_json()))
    assert [source["name"] for source in written["sources"]] == ["phone", "web"]
    assert sum(source["n"] for source in written["sources"]) == written["n"] == len(split.test)
    assert model_json(trained)["metrics"] == {"test": json.loads(json.dumps(found.to_metrics()))}


def _log_loss(answers: Answers, temperature: float) -> float:
    chosen = answers.probabilities(temperature)[range(len(answers.rows)), answers.truth]
    return float(-np.log(chosen).mean())


def test_the_temperature_is_that_of_the_validation_images_and_both_engines_serve_it(
    trained: Path,
) -> None:
    kept = read_answers(trained / "answers-validation.csv")
    temperature = model_json(trained)["temperature"]
    assert temperature != 1
    assert _log_loss(kept, temperature) < _log_loss(kept, 1.0)
    for engine in ("torchscript", "onnx"):  # loading reproduces the self-test at that temperature
        assert load_model(str(trained / "model"), engine).metadata.temperature == temperature


@pytest.mark.parametrize("engine", ["torchscript", "onnx"])
def test_a_run_is_measured_on_its_own_test_images(
    trained: Path, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", trained, "--engine", engine, "--json") == 0
    output = capsys.readouterr()
    found = json.loads(output.out)
    written = json.loads((trained / "evaluation.json").read_text())
    for key in ("accuracy", "n", "confusion", "confused", "sources", "groups"):
        assert found[key] == written[key]
    after = found["calibration"]["after"]["ece"]
    assert after == pytest.approx(written["calibration"]["after"]["ece"], abs=1e-4)
    assert "fingerprint" not in output.err


def test_a_copy_of_its_images_is_taken_without_a_word(
    trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = shutil.copytree(data, tmp_path / "data")
    assert run("evaluate", trained, "--data", copied, "--json") == 0
    assert "fingerprint" not in capsys.readouterr().err


def test_other_images_under_the_same_names_are_said(
    trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = Path(shutil.copytree(data, tmp_path / "data"))
    first = read_split(trained / "split.csv").test[0].file
    (copied / first).write_bytes(encode(noise(50, 50), "JPEG"))
    assert run("evaluate", trained, "--data", copied, "--json") == 0
    assert "fingerprint differs" in capsys.readouterr().err


def test_a_folder_without_the_runs_images_is_a_mistake(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", trained, "--data", tmp_path) == 2
    assert "None of the " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--engine", "foo", "is 'foo'; it must be"),
        ("--groups", "missing.csv", "in missing.csv cannot"),
    ],
)
def test_what_it_is_asked_by_is_checked_before_any_image_is_read(
    trained: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    value: str,
    complaint: str,
) -> None:
    monkeypatch.setattr(run_data_module, "read_contents", pytest.fail)
    assert complaint in mistake(capsys, "evaluate", trained, option, value)


def test_a_model_is_measured_on_all_of_a_folder(
    trained: Path, data: Path, sources: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run("evaluate", trained / "model", "--data", data, "--groups", sources, "--json")
    assert code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 24 * len(CLASSES)
    assert [(source["name"], source["n"]) for source in found["sources"]] == [
        ("phone", 12 * len(CLASSES)),
        ("web", 12 * len(CLASSES)),
    ]


def test_a_model_alone_needs_a_folder(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", trained / "model") == 2
    assert "give --data DIR" in capsys.readouterr().err


def test_bad_images_in_a_folder_are_named_and_counted(
    trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = Path(shutil.copytree(data, tmp_path / "data"))
    (copied / CLASSES[0] / "bad.jpg").write_bytes(b"not an image")
    assert run("evaluate", trained / "model", "--data", copied) == 0
    output = capsys.readouterr()
    assert f"Skipped {CLASSES[0]}/bad.jpg" in output.err
    assert f"of {24 * len(CLASSES)} images (" in output.out
    assert "1 skipped" in output.out


def test_the_table_has_every_figure(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", trained, "--target-precision", 0.01) == 0
    shown = capsys.readouterr().out
    written = json.loads((trained / "evaluation.json").read_text())
    assert f"Accuracy: {written['accuracy']:.3f}" in shown
    for figures in written["classes"]:
        interval = figures["recall_interval"]
        assert figures["label"] in shown
        recall = f"{figures['recall']:.3f} ({interval['low']:.3f}–{interval['high']:.3f})"
        assert recall in shown
    for word in ("onfused pairs", "phone", "web", "Calibration", "0.01 is reached without"):
        assert word in shown


def test_of_many_classes_the_worst_are_shown_within_a_hundred_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.unit.training.evaluation.test_evaluation_figures import answered

    names = tuple(f"class {i:03} of a rather long name that goes on and on" for i in range(200))
    right = [(name, name) for name in names]
    wrong = [(name, names[0]) for name in names[150:]]
    monkeypatch.setattr(printing, "result_console", lambda: Terminal(width=100))
    evaluation_tables.print_evaluation(measure(answered(*right, *wrong, labels=names)), "Many")
    shown = capsys.readouterr().out
    assert "The 20 classes of 200 with the lowest F1" in shown
    assert "class 000" in shown  # what they are taken for has the lowest precision
    assert "class 100" not in shown
    assert max(len(line) for line in shown.splitlines()) <= 100


@pytest.mark.parametrize("is_run", [True, False])
def test_the_images_that_a_threshold_was_found_on_are_named(
    trained: Path, data: Path, capsys: pytest.CaptureFixture[str], is_run: bool
) -> None:
    given = (trained,) if is_run else (trained / "model", "--data", data)
    assert run("evaluate", *given, "--target-precision", 0.01) == 0
    output = capsys.readouterr()
    images = f"validation images of {trained}" if is_run else f"images in {data}"
    said = rf"0.01 is reached without a threshold: of \d+ {re.escape(images)}, "
    assert re.search(said, output.out)
    assert "held-out" not in output.out + output.err
    assert ("was trained with some of these images" in output.err) != is_run


def test_a_class_that_is_never_answered_has_no_precision(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tests.unit.training.evaluation.test_evaluation_figures import answered

    evaluation = measure(answered(("a", "a"), ("b", "a"), labels=("a", "b", "c")))
    evaluation_tables.print_evaluation(evaluation, "Few")
    shown = " ".join(capsys.readouterr().out.split())
    assert "│ b │ – │ 0.000 (0.000–0.793) │ 0.000 │ 1 │" in shown
    assert "│ c │ – │ – │ – │ 0 │" in shown
    written = json.loads(json.dumps(evaluation.to_json()))["classes"]
    assert [one["precision"] for one in written] == [0.5, None, None]
    assert [one["precision_interval"] is None for one in written] == [False, True, True]


@pytest.mark.parametrize(
    ("right", "said"),
    [
        ({"x": 1, "y": 2, "z": 2}, "1 of 3 groups of two images or more have mistakes"),
        ({"x": 2, "y": 2, "alone": 0}, "every answer is right in all 2 groups of two images or"),
        (
            {f"{i:02}": i % 2 for i in range(30)},
            "30 of 30 groups of two images or more have mistakes, these 10 the most",
        ),
    ],
)
def test_it_is_said_which_groups_are_listed(
    right: dict[str, int], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.unit.training.evaluation.test_evaluation_figures import answered

    groups = [group for group in right for _ in range(1 if group == "alone" else 2)]
    hits = [i < n for group, n in right.items() for i in range(1 if group == "alone" else 2)]
    given = answered(*[("a", "a" if hit else "b") for hit in hits], labels=("a", "b"))
    rows = [replace(row, group=group) for row, group in zip(given.rows, groups, strict=True)]
    evaluation = measure(replace(given, rows=tuple(rows)))
    evaluation_tables.print_evaluation(evaluation, "Grouped")
    assert said in capsys.readouterr().out


def copy_of(trained: Path, folder: Path) -> Path:
    return Path(shutil.copytree(trained, folder))


def test_a_threshold_goes_into_the_version_and_is_served(
    trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = read_answers(trained / "answers-validation.csv")
    probabilities = kept.probabilities(model_json(trained)["temperature"])
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == kept.truth
    rest = {int(i): right[sure > sure[i]] for i in np.flatnonzero(~right)}
    # The wrong answer without which, and all less sure ones, the accuracy is highest.
    doubtful = max(rest, key=lambda i: rest[i].mean() if rest[i].any() else 0.0)
    wanted = rest[doubtful].mean()
    assert wanted > right.mean()
    copied = copy_of(trained, tmp_path / "run")
    assert run("evaluate", copied, "--target-precision", wanted - 1e-9, "--json") == 0
    planned = json.loads(capsys.readouterr().out)["at_precision"]["threshold"]
    before = model_json(copied)
    assert run("export", copied, "--target-precision", wanted - 1e-9) == 0
    after = model_json(copied)
    assert after["threshold"] == pytest.approx(planned["value"])
    assert after["version"] != before["version"]
    assert after["temperature"] == pytest.approx(before["temperature"])
    assert after["threshold"] > sure[doubtful]
    client = Client(create_app(SharedModel(str(copied / "model"))))
    answers = [
        client.post(
            "/classify", data=(data / row.file).read_bytes(), content_type="image/jpeg"
        ).get_json()
        for row in (kept.rows[doubtful], kept.rows[int(sure.argmax())])
    ]
    assert answers[0]["label"] == "unknown"
    assert answers[0]["predicted"] == f"That doesn't look like any of: {', '.join(CLASSES)}"
    assert answers[0]["confidence"] == pytest.approx(sure[doubtful], abs=1e-3)
    assert answers[1]["label"] == kept.labels[int(probabilities[sure.argmax()].argmax())]


def test_a_precision_out_of_reach_is_said(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = copy_of(trained, tmp_path / "run")
    split = read_split(copied / "split.csv")
    following = dict(zip(CLASSES, (*CLASSES[1:], CLASSES[0]), strict=True))
    mislabelled = (
        tuple(replace(row, label=following[row.label]) for row in split.part(name))
        for name in PARTS
    )
    write_split(Split(*mislabelled), copied / "split.csv")
    assert run("evaluate", copied, "--target-precision", 1, "--json") == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["at_precision"] == {"wanted": 1.0, "threshold": None}
    assert "No threshold makes 1 of the answers right" in output.err
    finished = finish_run(Run(copied), precision=1.0)  # as a recipe's reject_below_precision does
    assert "No threshold makes 1 of the answers right" in str(finished.unreachable)
    assert model_json(copied)["threshold"] == finished.metadata.threshold == 0


def test_without_the_images_an_export_keeps_temperature_and_figures_and_takes_no_precision(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = copy_of(trained, tmp_path / "run")
    described = json.loads((copied / "data.json").read_text())
    (copied / "data.json").write_text(json.dumps({**described, "root": str(tmp_path / "gone")}))
    before = model_json(copied)
    assert run("export", copied, "--target-precision", 0.9) == 2
    assert "A threshold needs the images" in capsys.readouterr().err
    assert model_json(copied) == before
    assert run("export", copied) == 0
    after = model_json(copied)
    for key in ("temperature", "threshold", "metrics"):
        assert after[key] == before[key]
    assert after["version"] != before["version"]
    load_model(str(copied / "model"), "onnx")
