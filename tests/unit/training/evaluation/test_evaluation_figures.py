"""Each figure of an evaluation, against what is counted by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from training.data.contents import SkippedImage
from training.data.table import LabelledImage
from training.evaluation.answers import Answers
from training.evaluation.figures import ConfusedPair, Share, SliceFigures, measure

CAT, DOG, OWL = LABELS = ("cat", "dog", "owl")


def answered(*pairs: tuple[str, str], labels: tuple[str, ...] = LABELS) -> Answers:
    """Return answers: the truth and the answer of each image."""
    rows = tuple(LabelledImage(f"{i}.jpg", truth) for i, (truth, _) in enumerate(pairs))
    logits = [[4.0 * (label == answer) for label in labels] for _, answer in pairs]
    return Answers(labels, rows, np.array(logits))


ANSWERS = answered(
    *[(CAT, CAT)] * 5, *[(CAT, DOG)] * 3, *[(DOG, DOG)] * 3, (DOG, CAT), *[(OWL, DOG)] * 2
)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)],
)
def test_a_fraction_has_wilsons_interval(right: int, n: int, low: float, high: float) -> None:
    interval = Share(right, n).interval
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_accuracy_counts_right_answers() -> None:
    found = measure(ANSWERS)
    assert found.n == 14
    assert found.accuracy == pytest.approx(8 / 14)
    assert found.interval == Share(8, 14).interval


def test_classes_have_precision_recall_and_f1() -> None:
    cat, dog, owl = measure(ANSWERS).classes
    assert (cat.label, cat.n, cat.answered) == (CAT, 8, 6)
    assert (cat.precision, cat.recall) == pytest.approx((5 / 6, 5 / 8))
    assert cat.f1 == pytest.approx(2 * 5 / (6 + 8))
    assert cat.precision_interval == Share(5, 6).interval
    assert cat.recall_interval == Share(5, 8).interval
    assert (dog.precision, dog.recall) == pytest.approx((3 / 8, 3 / 4))
    assert (owl.precision, owl.recall, owl.f1, owl.n, owl.answered) == (None, 0, 0, 2, 0)
    assert owl.precision_interval is None


def test_a_class_without_images_keeps_its_place() -> None:
    found = measure(answered((DOG, DOG), (DOG, CAT)))
    assert [figures.n for figures in found.classes] == [0, 2, 0]
    cat, _, owl = found.classes
    assert (cat.recall, cat.recall_interval, cat.precision, cat.f1) == (None, None, 0, 0)
    assert (owl.recall, owl.precision, owl.f1) == (None, None, None)
    assert found.confusion == ((0, 0, 0), (1, 1, 0), (0, 0, 0))
    assert found.normalised == ((0, 0, 0), (0.5, 0.5, 0), (0, 0, 0))


def test_the_confusion_matrix_has_truth_in_rows() -> None:
    found = measure(ANSWERS)
    assert found.confusion == ((5, 3, 0), (1, 3, 0), (0, 2, 0))
    assert found.normalised == ((0.625, 0.375, 0), (0.25, 0.75, 0), (0, 1, 0))


def test_the_most_confused_pairs_come_first() -> None:
    assert measure(ANSWERS).confused == (
        ConfusedPair(CAT, DOG, 3, 0.375),
        ConfusedPair(OWL, DOG, 2, 1.0),
        ConfusedPair(DOG, CAT, 1, 0.25),
    )


def test_top_five_counts_where_there_are_more_than_five_classes() -> None:
    labels = tuple("abcdef")
    rows = tuple(LabelledImage(f"{label}.jpg", label) for label in labels)
    ranks = np.tile([6.0, 5, 4, 3, 2, 1], (6, 1))  # 'a' is always first, 'f' always last
    found = measure(Answers(labels, rows, ranks))
    assert found.accuracy == pytest.approx(1 / 6)
    assert found.top5 == pytest.approx(5 / 6)
    assert measure(ANSWERS).top5 is None


def test_sources_and_groups_have_an_accuracy_of_their_own() -> None:
    rows = (
        LabelledImage("1.jpg", CAT, "clip 1", "camera"),
        LabelledImage("2.jpg", CAT, "clip 1", "camera"),
        LabelledImage("3.jpg", CAT, "clip 2", "archive"),
        LabelledImage("4.jpg", CAT, "clip 3", "archive"),
        LabelledImage("5.jpg", CAT, "clip 3"),
        LabelledImage("6.jpg", CAT),
    )
    logits = answered(*[(CAT, answer) for answer in (CAT, CAT, CAT, DOG, OWL, CAT)]).logits
    found = measure(Answers(LABELS, rows, logits))
    assert found.sources == (
        SliceFigures("archive", 0.5, 2, Share(1, 2).interval),
        SliceFigures("camera", 1.0, 2, Share(2, 2).interval),
    )
    # The group with most mistakes first; one image alone is no group to speak of.
    assert [(group.name, group.accuracy) for group in found.groups] == [
        ("clip 3", 0),
        ("clip 1", 1),
    ]


def test_the_temperature_moves_confidences_and_no_answer() -> None:
    cool, warm = measure(ANSWERS, 1.0), measure(ANSWERS, 10.0)
    assert cool.confusion == warm.confusion
    assert cool.calibration.before == warm.calibration.before == cool.calibration.after
    assert warm.calibration.after.ece != warm.calibration.before.ece


def test_the_threshold_says_what_is_left() -> None:
    found = measure(ANSWERS, threshold=0.99)
    assert found.threshold is not None
    assert (found.threshold.coverage, found.threshold.precision) == (0, None)
    assert found.accuracy == pytest.approx(8 / 14)


def test_all_of_it_is_json_and_clients_are_told_no_names_of_files_and_sources() -> None:
    rows = tuple(LabelledImage(row.file, row.label, "clip", "camera") for row in ANSWERS.rows)
    skipped = (SkippedImage("bad.jpg", "It is no image."),)
    found = measure(Answers(LABELS, rows, ANSWERS.logits, skipped))
    document = json.loads(json.dumps(found.to_json()))
    assert document["accuracy"] == found.accuracy
    assert document["confusion_normalised"][0] == [0.625, 0.375, 0]
    assert document["skipped"] == [{"file": "bad.jpg", "reason": "It is no image."}]
    assert document["sources"][0]["name"] == "camera"
    metrics = json.dumps(found.to_metrics())
    assert json.loads(metrics)["classes"][1]["recall"] == 0.75
    for name in ("bad.jpg", "camera", "clip"):
        assert name not in metrics
