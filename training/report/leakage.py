"""Test images that training has seen: exact copies, and the accuracy without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from training.data.leaks import copied_from_training
from training.evaluation.figures import Share
from training.report.report_data import ReportData


class Leak(NamedTuple):
    """The files of the other parts that have the bytes of a training image."""

    validation: tuple[str, ...]
    test: tuple[str, ...]
    without: Share | None  # accuracy on the other test images; None where there are none


def find_leak(report: ReportData, duplicates: Sequence[Sequence[str]]) -> Leak | None:
    """Return the copies among a run's images; None where there are none.

    Args:
        report: The run.
        duplicates: Sets of files with the same bytes, among all images of the run.
    """
    digests = {file: str(number) for number, files in enumerate(duplicates) for file in files}
    copies = copied_from_training(report.split, digests)
    if not any(copies.values()):
        return None
    answers, copied = report.answers, {*copies["test"]}
    guesses = answers.probabilities(1.0).argmax(axis=1)
    right = [
        bool(guess == truth)
        for row, guess, truth in zip(answers.rows, guesses, answers.truth, strict=True)
        if row.file not in copied
    ]
    without = Share(sum(right), len(right)) if right else None
    return Leak(copies["validation"], copies["test"], without)
