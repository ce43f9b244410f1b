"""A version is asked about a folder's images; its answers survive a file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from model_loader import load_model
from tests.support.images import encode, noise
from tests.support.versions import LABELS
from training.data.contents import SkippedImage
from training.data.table import LabelledImage
from training.errors import TrainingError
from training.evaluation.answers import Answers, answer_images, read_answers, write_answers

BAD = b"not an image"


def pictures(root: Path, count: int, bad: int = 0) -> tuple[LabelledImage, ...]:
    """Write images, the first few of them damaged; return their rows."""
    rows = tuple(LabelledImage(f"{i}.png", LABELS[i % len(LABELS)]) for i in range(count))
    for i, row in enumerate(rows):
        (root / row.file).write_bytes(BAD if i < bad else encode(noise(40, 30, seed=i), "PNG"))
    return rows


@pytest.mark.parametrize("engine", ["torchscript", "onnx"])
def test_they_are_what_the_service_would_answer(version: Path, tmp_path: Path, engine: str) -> None:
    model = load_model(str(version), engine)
    rows = pictures(tmp_path, 6)
    answers = answer_images(model, tmp_path, rows)
    assert answers.truth.tolist() == [0, 1, 2, 3, 0, 1]
    for row, found in zip(rows, answers.probabilities(1.0), strict=True):
        served = model.classify((tmp_path / row.file).read_bytes())
        assert list(served.scores.values()) == pytest.approx(found.tolist(), abs=1e-6)


def test_a_bad_image_is_named_skipped_and_counted(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pictures(tmp_path, 20, bad=1)
    answers = answer_images(load_model(str(version)), tmp_path, rows)
    assert answers.rows == rows[1:]
    assert answers.logits.shape == (19, 4)
    assert [image.file for image in answers.skipped] == ["0.png"]
    assert "Skipped 0.png" in capsys.readouterr().err


def test_too_many_bad_images_are_a_mistake(version: Path, tmp_path: Path) -> None:
    rows = pictures(tmp_path, 20, bad=1)
    (tmp_path / "7.png").unlink()
    with pytest.raises(TrainingError, match=r"2 of 20 images cannot be used.* '0.png'"):
        answer_images(load_model(str(version)), tmp_path, rows)


def test_what_training_skipped_is_told_but_not_tried_again(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pictures(tmp_path, 4, bad=1)
    known = (SkippedImage("0.png", "It is damaged."), SkippedImage("elsewhere.png", "Likewise."))
    answers = answer_images(load_model(str(version)), tmp_path, rows, known=known)
    assert answers.skipped == known[:1]
    assert len(answers.rows) == 3
    assert "Skipped" not in capsys.readouterr().err


def test_no_images_are_a_mistake(version: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no images to evaluate"):
        answer_images(load_model(str(version)), tmp_path, [])


def test_they_survive_a_file_to_the_last_digit(tmp_path: Path) -> None:
    strange = os.fsdecode(b"caf\xe9, noir.jpg")
    rows = (
        LabelledImage("file", "file", "clip 7", 'a "camera", left'),
        LabelledImage(strange, "鳥"),
    )
    logits = np.random.default_rng(0).normal(0, 30, (2, 2))
    skipped = (SkippedImage("bad.jpg", "It is no image."),)
    path = tmp_path / "answers.csv"
    write_answers(Answers(("file", "鳥"), rows, logits, skipped), 1.7, path)
    found = read_answers(path)
    assert (found.labels, found.rows, found.skipped) == (("file", "鳥"), rows, skipped)
    assert np.array_equal(found.logits, logits)


def test_the_file_says_the_answer_and_its_confidence_at_the_temperature(tmp_path: Path) -> None:
    rows = (LabelledImage("1.jpg", "a"),)
    path = tmp_path / "answers.csv"
    write_answers(Answers(("a", "b"), rows, np.array([[0.0, np.log(9) * 2]])), 2.0, path)
    header, line = path.read_text().splitlines()
    assert header == "file,label,group,source,answer,confidence,skipped,logit a,logit b"
    cells = line.split(",")
    assert cells[:5] == ["1.jpg", "a", "", "", "b"]
    assert float(cells[5]) == pytest.approx(0.9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "file,label\n1.jpg,a\n",
        "file,label,group,source,answer,confidence,skipped,logit a\n1.jpg,a,,,a,1.0,,many\n",
        "file,label,group,source,answer,confidence,skipped,logit a\n1.jpg,b,,,a,1.0,,1.0\n",
        "file,label,group,source,answer,confidence,skipped,logit a\n1.jpg,a\n",
    ],
    ids=["empty", "other columns", "no number", "a class without column", "cut short"],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "answers.csv").write_text(text)
    with pytest.raises(TrainingError, match=r"answers in .*answers.csv cannot be read"):
        read_answers(tmp_path / "answers.csv")
