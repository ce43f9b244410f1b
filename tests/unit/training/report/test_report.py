"""The report: one page with everything, from what a run left behind."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from samples.draw import CLASSES
from tests.support.drawn_run import RATE, draw_run
from training.commands.report import report, report_finished
from training.errors import InterruptedRunError, TrainingError
from training.evaluation.answers import read_answers, write_answers
from training.report import page as page_module
from training.report.page import write_report
from training.report.report_data import read_report_data
from training.run import Run

VOID = {"meta", "link", "img", "br"}


class Reader(HTMLParser):
    """Collects a page's text and addresses, and minds that every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.addresses: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = ("src", "href", "xlink:href")
        self.addresses += [value or "" for name, value in attributes if name in names]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with its report; tests that change it copy it first."""
    return draw_run(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def page(run: Path) -> Reader:
    return Reader((run / "report.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_but_itself(page: Reader) -> None:
    assert page.addresses
    assert [each for each in page.addresses if not each.startswith(("data:", "#"))] == []


def test_every_section_is_there(page: Reader) -> None:
    for heading in ("Data", "Augmentation", "Distribution", "Training", "Test", "Most confused"):
        assert heading in page.words
    for heading in ("Confidence", "Mistakes", "Right answers", "Reproduce", "Recipe"):
        assert heading in page.words


def test_the_figures_are_those_of_the_evaluation(run: Path, page: Reader) -> None:
    measured = read_report_data(run).evaluation
    assert f"{100 * measured.accuracy:.1f} %" in page.words
    for one in measured.classes:
        shown = "–" if one.precision is None else f"{100 * one.precision:.1f} %"
        assert f"{one.label} {shown}" in page.words
    assert f"ECE {measured.calibration.before.ece:.3f}" in page.words


def test_figures_of_nothing_are_dashes(run: Path, tmp_path: Path) -> None:
    copied = Run(Path(shutil.copytree(run, tmp_path / "run")))
    answers = read_answers(copied.answers("test"))
    answers.logits[:, 0] = -99  # the first class is never answered
    write_answers(answers, 1.0, copied.answers("test"))
    rows = re.findall("<tr><td>.*?</tr>", write_report(copied.folder).read_text(), re.DOTALL)
    (row,) = (row for row in rows if f"<td>{CLASSES[0]}</td><td>–</td><td>–</td>" in row)
    assert "<td>0.0 %</td>" in row  # its recall


def test_each_stage_has_its_rate_and_its_epochs(run: Path, page: Reader) -> None:
    first, second = read_report_data(run).stages
    assert (first.trained, first.epochs, first.rate) == ("head", 2, RATE)
    assert (second.trained, second.epochs) == ("last 1 blocks", 1)
    assert f"1 head {first.size} px 2 {RATE}" in page.words


def test_every_mistake_is_shown_with_truth_answer_and_confidence(run: Path, page: Reader) -> None:
    report = read_report_data(run)
    scores = report.answers.probabilities(report.metadata.temperature)
    wrong = 0
    for row, own in zip(report.answers.rows, scores, strict=True):
        answer = CLASSES[int(own.argmax())]
        if answer != row.label:
            wrong += 1
            assert f"{row.label} → {answer} , {100 * own.max():.1f} % {row.file}" in page.words
    assert wrong == page.words.count("→") > 0


def test_each_picture_of_the_galleries_stands_beside_its_heat(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    pairs = re.findall(r'<div class="pair">(.*?)<figcaption>', text, re.DOTALL)
    assert len(pairs) == len(read_report_data(run).answers.rows)
    for pair in pairs:
        picture, heat = re.findall(r'src="(data:image/webp;base64,[^"]+)"', pair)
        assert picture != heat


def test_the_command_trains_the_same_again(run: Path, page: Reader) -> None:
    report = read_report_data(run)
    assert report.command in page.words
    words = shlex.split(report.command)
    options = dict(zip(words[4::2], words[5::2], strict=True))
    assert options["--weights"] == "none"
    for option in ("--data", "--recipe", "--split"):
        assert Path(options[option]).exists()


def test_what_it_was_made_with_is_told(run: Path, page: Reader) -> None:
    report = read_report_data(run)
    for word in (report.data.fingerprint, report.metadata.version, str(report.root)):
        assert word in page.words
    for library, version in report.metadata.libraries.items():
        assert f"{library} {version}" in page.words


def test_the_plots_are_kept_as_pictures_too(run: Path) -> None:
    names = {path.stem for path in (run / "plots").glob("*.png")}
    assert {"loss", "accuracy", "batch_loss", "learning_rate", "seconds", "classes"} <= names
    assert {"confusion", "confusion_normalised", "reliability", "recall", "precision"} <= names
    assert {"images_per_class", "file_sizes", "heights_and_widths"} <= names


def test_names_are_text_and_never_markup(run: Path, tmp_path: Path) -> None:
    strange = "<b>&\"Bird's"
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    shutil.copytree(run.parent / "data", tmp_path / "data")
    (tmp_path / "data" / CLASSES[0]).rename(tmp_path / "data" / strange)
    for path in (*folder.glob("*.csv"), folder / "data.json", folder / "model" / "model.json"):
        escaped = strange.replace('"', '""' if path.suffix == ".csv" else '\\"')
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            text = re.sub(rf"{CLASSES[0]}(/[^,\n]*)?", rf'"{escaped}\1"', text)
            text = text.replace(f'logit "{escaped}"', f'"logit {escaped}"')
        else:
            text = text.replace(CLASSES[0], escaped)
        path.write_text(text, encoding="utf-8")
    words = Reader(write_report(folder, tmp_path / "data").read_text(encoding="utf-8")).words
    assert f"{strange} → " in words or f"→ {strange}" in words


def test_images_that_were_moved_are_found_by_data(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    shutil.copytree(run.parent / "data", tmp_path / "moved")
    text = (folder / "data.json").read_text(encoding="utf-8")
    gone = text.replace(str(run.parent / "data"), str(tmp_path / "gone"))
    (folder / "data.json").write_text(gone, encoding="utf-8")
    with pytest.raises(TrainingError, match="--data DIR"):
        write_report(folder)
    assert write_report(folder, tmp_path / "moved").is_file()


def test_a_run_that_was_not_finished_has_none(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    shutil.rmtree(folder / "model")
    with pytest.raises(TrainingError, match="python -m training export"):
        write_report(folder)


def test_answers_that_were_cut_short_are_named_and_counted(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    answers = folder / "answers-test.csv"
    lines = answers.read_text().splitlines(keepends=True)
    answers.write_text("".join(lines[:-3]))
    count = len(lines) - 1
    with pytest.raises(
        TrainingError, match=f"answers-test.csv has {count - 3} lines, but .* has {count} test"
    ):
        write_report(folder)


@pytest.mark.parametrize("draw", [report, report_finished])
def test_ctrl_c_while_heat_maps_are_drawn_says_how_to_draw_them(
    run: Path, draw: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "make_galleries", interrupted)
    arguments = (run, None) if draw is report else (run,)
    with pytest.raises(InterruptedRunError, match=f"Try again: python -m training report {run}"):
        draw(*arguments)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_report_that_fails_leaves_the_run_and_says_how_to_try_again(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    (folder / "history.csv").write_text("stage,epoch\n0,not a number\n")
    report_finished(folder)
    said = " ".join(capsys.readouterr().err.split())
    assert "There is no report: The history of" in said
    assert f"python -m training report {folder}" in said


def test_test_images_that_training_has_seen_are_in_a_box_with_the_accuracy_without_them(
    run: Path, page: Reader, tmp_path: Path
) -> None:
    assert "exact copies" not in page.words
    shutil.copytree(run, tmp_path / "run")
    shutil.copytree(run.parent / "data", tmp_path / "data")
    report = read_report_data(run)
    guesses = report.answers.probabilities(1.0).argmax(axis=1)
    wrong = [
        row
        for row, ok in zip(report.answers.rows, guesses == report.answers.truth, strict=True)
        if not ok
    ]
    copied = [report.answers.rows[0], *(row for row in wrong[:1] if row != report.answers.rows[0])]
    for row, trained in zip(copied, report.split.train, strict=False):
        shutil.copy(tmp_path / "data" / trained.file, tmp_path / "data" / row.file)
    shutil.copy(
        tmp_path / "data" / report.split.train[0].file,
        tmp_path / "data" / report.split.validation[0].file,
    )
    write_report(tmp_path / "run", tmp_path / "data")
    seen = Reader((tmp_path / "run" / "report.html").read_text(encoding="utf-8")).words
    total, left = len(report.split.test), len(report.answers.rows) - len(copied)
    right = sum((guesses == report.answers.truth).tolist()) - sum(
        row not in wrong for row in copied
    )
    assert f"{len(copied)} of {total} test images are exact copies of training images" in seen
    assert f"Without them the accuracy is {100 * right / left:.1f} %" in seen
    assert f"n = {left})" in seen
    assert f"1 of {len(report.split.validation)} validation images" in seen
    assert "Near copies, such as a smaller version of an image, are not counted here." in seen
