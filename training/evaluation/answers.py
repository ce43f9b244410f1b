"""The answers of a version to labelled images, and the table that holds them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_loader import InputError, Model
from model_loader.model import softmax
from training.data.contents import SkippedImage, Skips, unreadable
from training.data.table import LabelledImage
from training.errors import TrainingError
from training.files.csv_files import new_csv, open_csv
from training.output.progress import progress
from training.output.terminal import few
from training.parallel import in_threads, one_thread

_COLUMNS = ("file", "label", "group", "source", "answer", "confidence", "skipped")
_LOGIT = "logit "  # prefix of a class's column, so that no class can be called 'file'


@dataclass(frozen=True, eq=False)
class Answers:
    """The network's outputs for a set of images.

    Attributes:
        labels: The class names in index order.
        rows: The images that were answered.
        logits: Before the temperature, float64 [N, classes].
        skipped: The images that could not be used.
    """

    labels: tuple[str, ...]
    rows: tuple[LabelledImage, ...]
    logits: NDArray[np.float64]
    skipped: tuple[SkippedImage, ...] = ()

    @property
    def truth(self) -> NDArray[np.int64]:
        """The index of each image's class, [N]."""
        index = {label: i for i, label in enumerate(self.labels)}
        return np.array([index[row.label] for row in self.rows], dtype=np.int64)

    def probabilities(self, temperature: float) -> NDArray[np.float64]:
        """Return the probabilities of a version with that temperature, [N, classes]."""
        return softmax(self.logits, temperature)


def answer_images(
    model: Model,
    root: Path,
    rows: Sequence[LabelledImage],
    title: str = "Evaluating",
    known: Sequence[SkippedImage] = (),
    takes_what_is_left: bool = False,
) -> Answers:
    """Run a version on images one by one, as a service does.

    Args:
        model: The version; its temperature and threshold do not matter.
        root: The data folder.
        rows: The images.
        title: The progress bar's.
        known: Images that training could not use; those among ``rows`` are not tried again.
        takes_what_is_left: Whether any number of images may be skipped, even all of them.

    Raises:
        TrainingError: A label is not one of the model's; there is no image, or too many cannot be
            decoded, where that is not allowed. Single ones are named and skipped.
    """
    labels = model.metadata.labels
    strange = sorted({row.label for row in rows} - set(labels))
    if strange:
        raise TrainingError(
            f"The data has the class {strange[0]!r}, which the model does not know; it knows "
            f"{few(labels)}."
        )
    files = {row.file for row in rows}
    before = tuple(image for image in known if image.file in files)
    rows = [row for row in rows if row.file not in {image.file for image in before}]
    if not rows and not takes_what_is_left:
        raise TrainingError("There are no images to evaluate.")
    answered: list[LabelledImage] = []
    logits: list[NDArray[np.float32]] = []
    skips = Skips(len(rows))

    def prepare(row: LabelledImage) -> NDArray[np.float32] | str:
        try:
            return model.prepare((root / row.file).read_bytes())
        except OSError as error:
            return unreadable(error)
        except InputError as error:
            return str(error)

    with progress(title, len(rows)) as advance, one_thread():
        for row, image in zip(rows, in_threads(prepare, rows), strict=True):
            if isinstance(image, str):
                skips.add(row.file, image)
            else:
                answered.append(row)
                logits.append(model.network(image[None])[0])
            advance("")
    if not takes_what_is_left:
        skips.check()
    outputs = np.array(logits, dtype=np.float64).reshape(len(logits), len(labels))
    return Answers(labels, tuple(answered), outputs, (*before, *skips.images))


def write_answers(answers: Answers, temperature: float, path: Path) -> None:
    """Write one line for each image, whole or not at all.

    ``answer`` and ``confidence`` are those of a version with this temperature; the columns
    ``logit CLASS`` hold the network's outputs before the temperature, exactly. A skipped image has
    the reason in ``skipped``, and nothing else.

    Raises:
        OSError: The file cannot be written.
    """
    probabilities = answers.probabilities(temperature)
    columns = (*_COLUMNS, *(_LOGIT + label for label in answers.labels))
    with new_csv(path, columns) as add:
        for row, scores, logits in zip(
            answers.rows, probabilities, answers.logits.tolist(), strict=True
        ):
            best = int(scores.argmax())
            answer = (answers.labels[best], float(scores[best]))
            add((row.file, row.label, row.group, row.source, *answer, "", *logits))
        for image in answers.skipped:
            add((image.file, "", "", "", "", "", image.reason))


def read_answers(path: Path) -> Answers:
    """Read what ``write_answers`` wrote.

    Raises:
        TrainingError: The file is missing or not of this form.
    """
    rows: list[LabelledImage] = []
    logits: list[list[float]] = []
    skipped: list[SkippedImage] = []
    try:
        with open_csv(path) as reader:
            header = tuple(reader.fieldnames or ())
            columns = header[len(_COLUMNS) :]
            if header[: len(_COLUMNS)] != _COLUMNS:
                raise ValueError("other columns")
            for line in reader:
                if line["skipped"]:
                    skipped.append(SkippedImage(line["file"], line["skipped"]))
                    continue
                group = line["group"] or None
                rows.append(LabelledImage(line["file"], line["label"], group, line["source"]))
                logits.append([float(line[column]) for column in columns])
        labels = tuple(column.removeprefix(_LOGIT) for column in columns)
        if not {row.label for row in rows} <= set(labels):
            raise ValueError("a class has no column")
    except (OSError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise TrainingError(
            f"The answers in {path} cannot be read ({type(error).__name__}). Measure the version "
            f"again: python -m training export {path.parent}"
        ) from error
    outputs = np.array(logits, dtype=np.float64).reshape(len(rows), len(labels))
    return Answers(labels, tuple(rows), outputs, tuple(skipped))
