"""``predict``: what is named is answered, image by image, and what is bad spoils nothing."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from model_loader import UNKNOWN, Model, Prediction, load_model
from tests.support.command_line import mistake, run
from tests.support.films import drawn, greys, write_film
from tests.support.images import encode, noise
from tests.support.versions import LABELS, build_version
from training.errors import TrainingError
from training.parallel import in_order
from training.predict.answer_formats import CsvOutput, TableOutput, Tally
from training.predict.local import OneProcess, SeveralProcesses
from training.predict.questions import Answer, Frame, ImageFile, Question
from training.predict.sources import count_questions, read_sources
from training.video.sampling import Sampling


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with four images, one of them in a folder below, and a note."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number, name in enumerate(["b.png", "a.png", "more/ç 鳥.png", "more/d.PNG"]):
        (folder / name).write_bytes(encode(noise(40, 30, number), "PNG"))
    (folder / "notes.txt").write_text("not an image")
    return folder


def names(*words: object) -> list[str]:
    sources = read_sources([str(word) for word in words], Sampling())
    found = [question.name for source in sources for question in source.questions()]
    assert count_questions(sources) == len(found)
    return found


def answers(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


# What the arguments name


def test_a_folder_stands_for_the_images_in_it_and_below(pictures: Path) -> None:
    below = ["a.png", "b.png", "more/d.PNG", "more/ç 鳥.png"]
    assert names(pictures) == [str(pictures / name) for name in below]


def test_a_pattern_in_quotes_is_expanded(pictures: Path) -> None:
    assert names(pictures / "*.png") == [str(pictures / name) for name in ("a.png", "b.png")]
    assert len(names(f"{pictures}/**/*.png")) == 3
    assert len(names(f"{pictures}/**")) == 5, "each file once, the note too: it was asked for"


def test_a_folder_that_matches_a_pattern_is_walked(pictures: Path) -> None:
    assert names(pictures / "mo*") == [str(pictures / "more" / n) for n in ("d.PNG", "ç 鳥.png")]


def test_a_file_whose_name_has_brackets_is_that_file(pictures: Path) -> None:
    odd = pictures / "a[1].png"
    odd.write_bytes((pictures / "a.png").read_bytes())
    assert names(odd) == [str(odd)]


def test_a_number_is_a_camera_unless_a_file_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert count_questions(read_sources(["7"], Sampling())) is None
    Path("7").write_bytes(b"")
    assert names("7") == ["7"]


@pytest.mark.parametrize("word", ["none.jpg", "none/*.jpg", "https://example.org/a.jpg"])
def test_what_is_not_there_is_a_mistake(word: str) -> None:
    with pytest.raises(TrainingError, match="There is no"):
        read_sources([word], Sampling())


def test_a_folder_without_images_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(TrainingError, match="has no images"):
        read_sources([str(tmp_path)], Sampling())


def test_a_name_that_is_no_text_is_escaped(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(encode(noise(10, 10), "PNG"))
    (name,) = names(tmp_path)
    assert name.endswith(r"caf\udce9.png")


# How they are answered


def test_an_answer_is_that_of_the_service(pictures: Path, version: Path) -> None:
    model = load_model(str(version))
    (answer,) = OneProcess(str(version), "torchscript").answers([ImageFile(pictures / "a.png")])
    assert answer.prediction == model.classify((pictures / "a.png").read_bytes())


def test_a_frame_is_answered_as_the_same_picture_in_a_file(version: Path) -> None:
    picture = noise(50, 40)
    (answer,) = OneProcess(str(version), "onnx").answers([Frame("a frame", picture)])
    assert answer.prediction == load_model(str(version), "onnx").classify(encode(picture, "PNG"))


def test_several_processes_answer_like_one_in_the_same_order(pictures: Path, version: Path) -> None:
    (pictures / "bad.png").write_bytes(b"hello")
    (folder,) = read_sources([str(pictures)], Sampling())
    questions = [*folder.questions(), Frame("a frame", noise(9, 9))]
    one = list(OneProcess(str(version), "onnx").answers(questions))
    several = list(SeveralProcesses(str(version), "onnx", 2).answers(questions))
    assert [answer.image for answer in several] == [question.name for question in questions]
    assert [answer.error for answer in several] == [answer.error for answer in one]
    for first, second in zip(one, several, strict=True):
        assert (first.prediction is None) == (second.prediction is None)
        if first.prediction and second.prediction:
            assert first.prediction.scores == pytest.approx(second.prediction.scores, abs=1e-5)


def test_several_processes_name_a_model_that_is_not_there(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "nowhere"
    line = mistake(capsys, "predict", pictures, "--model", nowhere, "--processes", 2)
    assert "There is no current.json" in line
    assert str(nowhere) in line


@dataclass(frozen=True)
class Deadly:
    """Ends the process that answers it."""

    name: str = "deadly"

    def open(self) -> BinaryIO:
        return io.BytesIO()

    def classify(self, model: Model) -> Prediction:
        os._exit(1)


def test_a_process_that_is_killed_ends_in_a_sentence(version: Path) -> None:
    questions: list[Question] = [Deadly()]
    with pytest.raises(TrainingError, match="fewer than --processes 2"):
        list(SeveralProcesses(str(version), "onnx", 2).answers(questions))


def test_few_questions_are_taken_before_their_answers_are_given() -> None:
    taken = 0

    def questions() -> Iterator[int]:
        nonlocal taken
        for number in range(200):
            taken += 1
            yield number

    with ThreadPoolExecutor(3) as pool:
        for given, answer in enumerate(in_order(pool, lambda n: n * n, questions(), ahead=5)):
            assert answer == given**2
            assert taken <= given + 5
    assert taken == 200


# What is shown


def test_json_has_a_score_for_each_class_in_the_models_order(
    pictures: Path, version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("predict", pictures, "--model", version, "--json") == 0
    found = answers(capsys)
    assert len(found) == 4
    for answer in found:
        assert list(answer) == ["image", "label", "confidence", "scores"]
        scores = answer["scores"]
        assert isinstance(scores, dict)
        assert tuple(scores) == LABELS
        assert max(scores.values()) == answer["confidence"] == scores[answer["label"]]


def test_json_with_top_k_has_the_most_probable_first(
    pictures: Path, version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("predict", pictures / "a.png", "--model", version, "--json", "--top-k", 2) == 0
    (answer,) = answers(capsys)
    scores = answer["scores"]
    assert isinstance(scores, dict)
    first, second = scores
    assert first == answer["label"]
    assert scores[first] >= scores[second]


def test_a_bad_image_is_a_row_with_its_reason_and_the_exit_code_is_1(
    pictures: Path, version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "a.png").write_bytes((pictures / "a.png").read_bytes()[:500])
    (pictures / "c.png").write_text("hello")
    (pictures / "e.png").write_bytes(b"")
    assert run("predict", pictures, "--model", version, "--json") == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [Path(answer["image"]).name for answer in found if "error" in answer] == [
        "a.png",
        "c.png",
        "e.png",
    ]
    assert "cut short" in found[0]["error"]
    assert "3 answered" in err
    assert "3 could not be answered" in err


def test_a_csv_has_a_column_for_each_class(
    pictures: Path, version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "a.png").write_text("hello")
    path = tmp_path / "answers.csv"
    assert run("predict", pictures, "--model", version, "--csv", path) == 1
    assert capsys.readouterr().out == "", "the file has it all"
    with path.open(newline="", encoding="utf-8") as file:
        first, *others = csv.DictReader(file)
    assert list(first) == ["image", "label", "confidence", "error", *LABELS]
    assert "Send a JPEG" in first["error"]
    assert {first["label"], *(first[label] for label in LABELS)} == {""}
    for row in others:
        assert sum(float(row[label]) for label in LABELS) == pytest.approx(1)
        assert row[row["label"]] == row["confidence"]
        assert row["error"] == ""


def test_a_class_that_is_called_like_a_column_gets_a_column_of_its_own(tmp_path: Path) -> None:
    with CsvOutput(tmp_path / "a.csv", ("label", "bird")):
        pass
    assert (tmp_path / "a.csv").read_text().strip().endswith("error,class label,bird")


def test_a_csvs_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.csv"
    with CsvOutput(path, ("bird",)):
        pass
    assert path.is_file()


def test_a_csv_that_cannot_be_written_is_a_mistake(
    pictures: Path, version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = mistake(capsys, "predict", pictures, "--model", version, "--csv", tmp_path)
    assert f"{tmp_path} cannot be written" in line


def test_the_table_lines_up_and_ends_in_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"bird": 0.9, "鳥": 0.1}
    with TableOutput(tuple(scores), top_k=2) as table:
        table.write(Answer("a [red]photo[/].jpg", Prediction("bird", 0.9, scores)))
        table.write(Answer("b.jpg", Prediction(UNKNOWN, 0.5, {"bird": 0.5, "鳥": 0.5})))
        table.write(Answer("c.jpg", None, "It is empty."))
    assert capsys.readouterr().out.splitlines() == [
        "label      score    label      score    image",
        "bird       90.0 %   鳥         10.0 %   a [red]photo[/].jpg",
        "unknown    50.0 %   鳥         50.0 %   b.jpg",
        "c.jpg: It is empty.",
    ]


def test_names_are_whole_when_the_table_goes_into_a_file(
    pictures: Path, version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = pictures / ("long " * 40 + ".png")
    long.write_bytes((pictures / "a.png").read_bytes())
    assert run("predict", long, "--model", version) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith(f" %   {long}")


def test_a_table_printed_below_a_progress_bar_goes_to_standard_output(
    pictures: Path,
    version: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.output.progress.console._force_terminal", True)
    assert run("predict", pictures, "--model", version) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 5
    assert "4 in 0:0" in err


def test_the_tally_counts_labels() -> None:
    tally = Tally()
    for label in ("bird", "drone", "bird"):
        tally.add(Answer("x", Prediction(label, 1.0, {label: 1.0})))
    tally.add(Answer("y", None, "It is empty."))
    assert str(tally) == "3 answered: bird 2, drone 1. 1 could not be answered."


def test_exactly_one_of_model_and_endpoint_is_to_be_given(
    pictures: Path, version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ("--model", version, "--endpoint", "http://127.0.0.1:1")
    for options in ((), both):
        assert "either --model RUN or --endpoint" in mistake(capsys, "predict", pictures, *options)


# Videos


def test_each_frame_of_a_video_is_answered_under_its_time(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.mp4", greys(5), rate=10)
    assert run("predict", film, "--model", version, "--json") == 0
    assert [answer["image"] for answer in answers(capsys)] == [
        f"{film} @ 00:00.{tenth}" for tenth in range(5)
    ]


def test_a_video_can_be_sampled(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.avi", greys(25), rate=20)
    assert run("predict", film, "--model", version, "--json", "--fps", 2) == 0
    assert [str(answer["image"])[-7:] for answer in answers(capsys)] == [
        "00:00.0",
        "00:00.5",
        "00:01.0",
    ]


def test_a_damaged_video_is_a_row_and_the_others_are_answered(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write_film(tmp_path / "whole.avi", drawn(6))
    cut, bad = tmp_path / "cut.avi", tmp_path / "bad.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    bad.write_bytes(b"no video at all")
    assert run("predict", bad, cut, whole, "--model", version, "--json") == 1
    found = answers(capsys)
    errors = {str(answer["image"]): str(answer["error"]) for answer in found if "error" in answer}
    assert "cannot be opened as a video" in errors[str(bad)]
    assert "of 6 frames can be decoded" in errors[str(cut)]
    assert sum(str(answer["image"]).startswith(f"{whole} @") for answer in found) == 6


def test_a_camera_that_is_not_there_is_a_mistake(
    version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "There is no camera 93" in mistake(capsys, "predict", "93", "--model", version)


def test_without_opencv_a_video_is_a_mistake_that_says_what_to_install(
    version: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    film = write_film(tmp_path / "film.avi", greys(2))
    monkeypatch.setitem(sys.modules, "cv2", None)
    for module in [name for name in sys.modules if name.startswith("training.video.")]:
        monkeypatch.delitem(sys.modules, module)
    line = mistake(capsys, "predict", film, "--model", version)
    assert "need OpenCV" in line
    assert "requirements-training.txt" in line


def test_a_model_of_other_classes_answers_in_its_own(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_version(tmp_path / "model", labels=("Чайка", "鳥"))
    assert run("predict", pictures / "a.png", "--model", tmp_path / "model", "--json") == 0
    (answer,) = answers(capsys)
    assert answer["label"] in ("Чайка", "鳥")
