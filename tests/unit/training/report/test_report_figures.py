"""The report's pictures stay readable, with four classes and with two hundred."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from tests.support.images import noise
from tests.support.versions import TRANSFORM
from tests.unit.training.report.test_gradcam import average, red_finder
from training.cleaning import inspection as inspection_module
from training.cleaning.inspection import inspect_table
from training.cleaning.plots import data_figures
from training.data.headers import Header
from training.data.table import ImageTable, LabelledImage
from training.evaluation.answers import Answers
from training.evaluation.figures import measure
from training.models.network import Classifier
from training.output.drawing import SMALLEST, least_width, style
from training.report.curves import draw_curves
from training.report.gallery import MOST_CLASSES, make_galleries, overlay
from training.report.history import History
from training.report.intervals import draw_measures
from training.report.matrices import OTHERS, draw_matrices, most_confused
from training.report.svg import to_svg
from training.report.thumbnails import SIDE, thumbnail

MANY = 200
SLANT = 35


def names(classes: int) -> tuple[str, ...]:
    return tuple(f"a class of long name {i}" for i in range(classes))


def answers(classes: int, each: int = 6, seed: int = 0) -> Answers:
    """Return answers of which about two thirds are right; images of two sources."""
    random = np.random.default_rng(seed)
    labels = names(classes)
    rows = tuple(
        LabelledImage(f"{label}/{i}.png", label, None, ("here", "there")[i % 2])
        for label in labels
        for i in range(each)
    )
    logits = random.normal(size=(len(rows), classes))
    right = random.random(len(rows)) < 2 / 3
    truth = np.repeat(np.arange(classes), each)
    logits[np.flatnonzero(right), truth[right]] += 6
    return Answers(labels, rows, logits)


def history(classes: int) -> History:
    """Return three stages of unequal lengths, the second with a range test."""
    stages = np.repeat([0.0, 1.0, 2.0], [30, 8, 1])
    epochs = len(stages)
    falling = np.linspace(1, 0.2, epochs)
    columns = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy", "seconds")
    random = np.random.default_rng(0)
    rates = np.geomspace(1e-6, 1, 50)
    return History(
        {"stage": stages, "learning_rate": falling, **dict.fromkeys(columns, falling)},
        {
            (part, figure): random.random((epochs, classes))
            for part in ("train", "validation")
            for figure in ("precision", "recall", "f1")
        },
        {
            "stage": np.repeat(stages, 4),
            "epoch": np.repeat(np.arange(float(epochs)), 4),
            "loss": np.repeat(falling, 4),
            "learning_rate": np.repeat(falling, 4),
        },
        {
            "stage": np.repeat(stages, 3),
            "epoch": np.repeat(np.arange(float(epochs)), 3),
            "batch": np.tile(np.arange(3.0), epochs),
            "loss": np.repeat(falling, 3),
        },
        {1: (rates, np.linspace(2, 1, 50))},
        (224, 224, 224),
    )


def figures(classes: int) -> dict[str, Figure]:
    given = answers(classes)
    evaluation = measure(given)
    return {
        **draw_curves(history(classes), given.labels),
        **draw_matrices(evaluation.confusion, given.labels),
        **draw_measures(evaluation),
    }


@pytest.mark.parametrize("classes", [2, 5, 20, 21, 100, MANY])
def test_the_smallest_text_has_eleven_pixels_on_a_page_of_1200(
    classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = [
        Header(f"{label}/{i}.png", label, 5000 * (i + 1), 64 + 900 * i, 80 + 50 * i, "PNG", "RGB")
        for label in names(classes)
        for i in range(3)
    ]
    monkeypatch.setattr(inspection_module, "read_headers", lambda *_: headers)
    monkeypatch.setattr(inspection_module, "exact_duplicates", lambda *_: [])
    inspection = inspect_table(ImageTable(Path("nowhere"), names(classes), ()))
    with style():
        drawn = {**figures(classes), **data_figures(inspection)}
    for name, figure in drawn.items():
        sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()}
        assert min(map(float, sizes)) >= SMALLEST, name
        assert least_width(figure.get_figwidth() * 72, 72) <= 992, name  # all that the page has


def test_names_that_differ_in_their_ends_differ_in_plots() -> None:
    labels = tuple(f"a kind of aircraft that is known as {i:03}" for i in range(20))
    counts = np.eye(20, dtype=int).tolist()
    with style():
        figure = draw_matrices(counts, labels)["confusion"]
    ticks = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(set(ticks)) == 20
    assert all(len(tick) <= 24 for tick in ticks)


@pytest.mark.parametrize("classes", [2, 4, 24, MANY])
def test_no_tick_label_lies_on_another_or_outside(classes: int) -> None:
    with style():
        for name, figure in figures(classes).items():
            canvas = FigureCanvasAgg(figure)
            canvas.draw()  # type: ignore[no-untyped-call]
            page = figure.bbox.expanded(1.01, 1.01)
            for axes in figure.axes:
                for axis in (axes.xaxis, axes.yaxis):
                    low, high = sorted(axis.get_view_interval())
                    labels = [
                        tick.label1
                        for tick in axis.get_major_ticks()
                        if low <= tick.get_loc() <= high and tick.label1.get_visible()
                    ]
                    boxes = [label.get_window_extent() for label in labels]
                    for box in boxes:
                        assert page.contains(box.x0, box.y0), (name, box)
                        assert page.contains(box.x1, box.y1), (name, box)
                    if labels and labels[0].get_rotation() == SLANT:
                        continue  # boxes of slanted texts overlap where the texts do not
                    for one, other in itertools.pairwise(boxes):
                        assert not one.overlaps(other), (name, axis)


def test_few_classes_have_a_curve_each_and_many_the_worst() -> None:
    with style():
        few, many = (draw_curves(history(n), names(n))["classes"] for n in (4, MANY))
    legends = [[text.get_text() for text in f.legends[0].get_texts()] for f in (few, many)]
    assert legends[0] == list(names(4))
    assert legends[1][:3] == ["all", "middle half of the classes", "median"]
    last = history(MANY).classes["validation", "f1"][history(MANY).best]
    assert names(MANY)[int(last.argmin())] in legends[1]


def test_no_class_name_is_a_formula_or_missing_from_a_legend() -> None:
    odd = ("_private", "$a$ $\\foo$", "x\x1b[31m", "é" * 60)
    with style():
        figure = draw_curves(history(4), odd)["classes"]
        FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    shown = [text.get_text().strip().replace(r"\$", "$") for text in figure.legends[0].get_texts()]
    assert shown == ["_private", "$a$ $\\foo$", r"x\u001b[31m", "é" * 15 + "…" + "é" * 8]


def test_the_chosen_rate_is_marked_on_its_range_test() -> None:
    made = history(4)
    with style():
        (panel,) = draw_curves(made, names(4))["learning_rate_range"].axes
    assert panel.get_title() == f"Stage 2: {made.highest_rate(1):.2g} chosen"


def test_the_validation_loss_of_each_batch_stands_beside_the_trainings() -> None:
    made = history(4)
    with style():
        training, validation = draw_curves(made, names(4))["batch_loss"].axes
    assert training.get_title() == "Training loss of each batch"
    assert validation.get_title() == "Validation loss of each batch"
    assert training.get_ylim() == validation.get_ylim()
    line, *means = validation.get_lines()
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert list(y) == list(made.validation_steps["loss"])
    assert list(x[:4]) == pytest.approx([1 / 6, 3 / 6, 5 / 6, 7 / 6])
    assert len(means) == 3  # one for each stage


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_a_run_that_kept_few_validation_batches_or_none_is_drawn(kept: int) -> None:
    made = history(4)
    last = {key: values[len(values) - kept :] for key, values in made.validation_steps.items()}
    with style():
        figure = draw_curves(replace(made, validation_steps=last), names(4))["batch_loss"]
        FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    assert len(figure.axes) == (2 if kept else 1)


def test_of_many_classes_the_matrix_shows_those_that_are_confused() -> None:
    counts = np.eye(MANY) * 5
    counts[7, 150], counts[30, 2] = 9, 4
    assert most_confused(counts, 4) == [7, 150, 30, 2]
    with style():
        axes = draw_matrices(counts.astype(int).tolist(), names(MANY))["confusion"].axes[0]
    rows = [tick.get_text() for tick in axes.get_yticklabels()]
    columns = [tick.get_text() for tick in axes.get_xticklabels()]
    assert rows[:4] == [f"a class of long name {i}" for i in (7, 150, 30, 2)]
    assert columns == [*rows, OTHERS]


def test_an_svg_takes_the_pages_colours_and_fonts() -> None:
    with style():
        figure = draw_measures(measure(answers(4)))["recall"]
        figure.axes[0].set_title("<angle> & $dollar")
        svg = to_svg(figure, "recall", 'says "this"')
    assert svg.startswith('<svg class="plot"')
    assert 'aria-label="says &#34;this&#34;"' in svg
    assert "var(--plot)" in svg
    assert "&lt;angle&gt; &amp; " in svg
    assert not re.search(r"#3b6ea5|#e5e5e5|DejaVu", svg)
    assert "font-family" not in svg


# Galleries.


class Images:
    """Draws what answers name, and a model that answers about it."""

    def __init__(self, root: Path, given: Answers) -> None:
        for i, row in enumerate(given.rows):
            path = root / row.file
            path.parent.mkdir(exist_ok=True)
            noise(40, 20, i).save(path)
        self.root = root
        self.model: Classifier = red_finder(average(), 1)


def test_the_most_confident_mistakes_come_first_and_ten_at_most(tmp_path: Path) -> None:
    given = answers(2, each=40)
    images = Images(tmp_path, given)
    shown = make_galleries(images.model, TRANSFORM, given, 1.0, images.root)
    guesses, confidence = given.logits.argmax(1), given.probabilities(1.0).max(1)
    for label, gallery in zip(given.labels, shown.wrong, strict=True):
        own = [
            i
            for i, row in enumerate(given.rows)
            if row.label == label and given.labels[guesses[i]] != label
        ]
        best = sorted((float(confidence[i]) for i in own), reverse=True)[:10]
        assert [one.confidence for one in gallery.shown] == pytest.approx(best)
        assert (gallery.count, gallery.n) == (len(own), 40)
        assert all(one.truth == label != one.answer for one in gallery.shown)
    for gallery in shown.right:
        assert len(gallery.shown) == 10
        assert all(one.truth == one.answer == gallery.label for one in gallery.shown)


def test_of_many_classes_those_of_most_mistakes_are_shown(tmp_path: Path) -> None:
    given = answers(30, each=3)
    images = Images(tmp_path, given)
    model = red_finder(average(), 1)
    shown = make_galleries(two_as(model, 30), TRANSFORM, given, 1.0, images.root)
    assert len(shown.wrong) == len(shown.right) == MOST_CLASSES
    counts = [gallery.count for gallery in shown.wrong]
    assert counts == sorted(counts, reverse=True)
    assert all(gallery.shown for gallery in (*shown.wrong, *shown.right))


def two_as(model: Classifier, classes: int) -> Classifier:
    """Give a model of two classes more of them, which are never answered."""
    head = model.classifier[-1]
    assert isinstance(head, torch.nn.Linear)
    head.weight.data = head.weight.data.repeat(classes // 2, 1)
    head.bias.data = head.bias.data.repeat(classes // 2)
    return model


def test_pictures_keep_their_proportions_and_are_never_enlarged() -> None:
    wide = thumbnail(noise(600, 150))
    assert (wide.width, wide.height) == (SIDE, SIDE // 4)
    small = thumbnail(noise(30, 20))
    assert (small.width, small.height) == (30, 20)


def test_a_picture_is_grey_where_there_is_no_heat_and_coloured_where_there_is() -> None:
    heat = np.zeros((20, 40), dtype=np.float32)
    heat[:, 20:] = 1
    laid = np.asarray(overlay(Image.new("RGB", (40, 20), (200, 40, 90)), heat)).astype(int)
    assert np.ptp(laid[:, :20], axis=2).max() == 0
    assert np.ptp(laid[:, 20:], axis=2).min() > 60
