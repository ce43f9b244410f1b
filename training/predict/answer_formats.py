"""Answers as JSON, CSV and lines to read, each written when it comes."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, Self

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from model_loader import UNKNOWN, Prediction
from training.errors import TrainingError
from training.files.csv_files import Row, new_csv
from training.output.printing import result_console
from training.output.terminal import json_text, short, visible
from training.predict.questions import Answer

_COLUMNS = ("image", "label", "confidence", "error")
_WIDEST = 40  # characters of a class name in a sentence
_PERCENT = 7
_SCORE = _PERCENT + 6  # with the space beside it and the label
_NARROWEST_NAME = 24  # columns of a terminal that the name of an image has at least


class Output(AbstractContextManager["Output", None]):
    """Where answers go, one by one, within a ``with`` block."""

    @abstractmethod
    def write(self, answer: Answer) -> None:
        """Take one answer."""


class JsonOutput(Output):
    """A list of objects on standard output."""

    def __init__(self, top_k: int | None = None) -> None:
        """Say how many scores to give, the highest first; None for all, in index order."""
        self._top_k = top_k
        self._before = "["

    def __exit__(self, *_: object) -> None:
        """Close the list."""
        _emit("[]\n" if self._before == "[" else "\n]\n")

    def write(self, answer: Answer) -> None:
        """Add an object."""
        indented = "\n".join(f"  {line}" for line in json_text(self._document(answer)).split("\n"))
        _emit(f"{self._before}\n{indented}")
        self._before = ","

    def _document(self, answer: Answer) -> dict[str, Any]:
        found = answer.prediction
        if found is None:
            return {"image": answer.image, "error": answer.error}
        scores = dict(highest(found, self._top_k) if self._top_k else found.scores)
        shown = {"label": found.label, "confidence": found.confidence, "scores": scores}
        return {"image": answer.image, **shown}


class CsvOutput(Output):
    """A file with a row for each answer and a column for each class."""

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        """Say where it goes, and which classes there are."""
        self._path = path
        self._labels = labels
        self._open = ExitStack()
        self._add: Callable[[Row], None]

    def __enter__(self) -> Self:
        """Write the header.

        Raises:
            TrainingError: The file cannot be written.
        """
        classes = (f"class {label}" if label in _COLUMNS else label for label in self._labels)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._add = self._open.enter_context(new_csv(self._path, (*_COLUMNS, *classes)))
        except OSError as error:
            raise TrainingError(f"{self._path} cannot be written: {error.strerror}.") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._open.close()

    def write(self, answer: Answer) -> None:
        """Add a row."""
        found = answer.prediction
        if found is None:
            self._add([answer.image, "", "", answer.error, *[""] * len(self._labels)])
        else:
            scores = (found.scores.get(label, "") for label in self._labels)
            self._add([answer.image, found.label, found.confidence, "", *scores])


class TableOutput(Output):
    """A table on standard output: the most probable classes, then the image's name.

    Where the terminal has no room for several classes side by side, each has a line of its own.
    """

    def __init__(self, labels: Sequence[str], top_k: int = 1) -> None:
        """Say which classes there are, and how many of them to show for each image."""
        self._terminal = result_console()
        names = [visible(label, self._terminal.encoding) for label in (*labels, UNKNOWN, "label")]
        width, room = max(map(cell_len, names)), self._terminal.width - _NARROWEST_NAME
        self._top_k = min(top_k, len(labels))
        self._columns = self._top_k if self._top_k * (width + _SCORE) <= room else 1
        self._width = min(width, room - _SCORE)

    def __enter__(self) -> Self:
        """Print the header."""
        self._print([("label", " score")] * self._columns, "image", "bold")
        return self

    def __exit__(self, *_: object) -> None:
        """End; each line is printed when its answer comes."""

    def write(self, answer: Answer) -> None:
        """Print a line, or several."""
        found = answer.prediction
        if found is None:
            self._emit(Text(visible(f"{answer.image}: {answer.error}"), "red"))
            return
        (best, score), *others = highest(found, self._top_k)
        first = Text(found.label, "yellow" if found.label == UNKNOWN != best else "")
        cells: list[tuple[str | Text, str]] = [(first, _percent(score))]
        cells += [(Text(label, "dim"), _percent(score)) for label, score in others]
        self._print(cells[: self._columns], answer.image)
        for cell in cells[self._columns :]:
            self._print([cell], "")

    def _print(self, cells: Sequence[tuple[str | Text, str]], image: str, style: str = "") -> None:
        line = Table.grid(padding=(0, 3, 0, 0))
        for _ in cells:
            line.add_column(width=self._width, overflow="fold")
            line.add_column(width=_PERCENT)
        line.add_column(overflow="fold")
        line.add_row(*chain.from_iterable(cells), image, style=style)
        self._emit(line)

    def _emit(self, line: Text | Table) -> None:
        with self._terminal.capture() as captured:
            self._terminal.print(line)
        _emit(captured.get())


class Tally:
    """Counts answers by label, and those that are errors."""

    def __init__(self) -> None:
        """Begin with none."""
        self.labels: Counter[str] = Counter()
        self.errors = 0

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        if answer.prediction is None:
            self.errors += 1
        else:
            self.labels[answer.prediction.label] += 1

    def __str__(self) -> str:
        """Return a sentence."""
        answered = sum(self.labels.values())
        common = self.labels.most_common(10)
        counts = ", ".join(f"{short(label, _WIDEST)} {count:,}" for label, count in common)
        more = f" and {len(self.labels) - 10} more classes" if len(self.labels) > 10 else ""
        message = f"{answered:,} answered" + (f": {counts}{more}." if counts else ".")
        return f"{message} {self.errors:,} could not be answered." if self.errors else message


def highest(prediction: Prediction, count: int) -> list[tuple[str, float]]:
    """Return the most probable classes and their probabilities, falling."""
    ranked = sorted(prediction.scores.items(), key=lambda pair: -pair[1])
    return ranked[:count]


def _percent(score: float) -> str:
    return f"{score * 100:5.1f} %"


def _emit(text: str) -> None:
    """Write to standard output.

    While a progress bar is shown, rich puts a stand-in in standard output's place that prints
    above the bar, on standard error's terminal: right for people, but not for a pipe or a file.
    """
    stream = sys.stdout
    if not stream.isatty():
        stream = getattr(stream, "rich_proxied_file", stream)
    stream.write(text)
