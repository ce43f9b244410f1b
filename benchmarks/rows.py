"""What a benchmark yields: rows, each one figure with the measurements that it comes from."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Attributes:
        runs: New processes for each side of a comparison; at least 1.
        smoke: Whether the least will do that shows that a row works and that its answers are right.
        data: Where `flying-objects/` and `large-photos/` lie unpacked; None to draw pictures.
        work: A folder that is empty at the beginning and goes at the end.
        closing: What is to be ended after the last row, such as a server that several rows need.
        earlier: The rows that were measured before, now or by an earlier command, by name.
    """

    runs: int
    smoke: bool
    data: Path | None
    work: Path
    closing: ExitStack = field(default_factory=ExitStack)
    earlier: dict[str, Row] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """What one side of a comparison measured, once in each of its runs.

    Attributes:
        label: Whose it is, and of what: "baseline", "ours", "ours, init".
        unit: "ms", "MB", "images/s" …
        values: One for each run, in the order measured; at least one.
    """

    label: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles between which half of the runs lie; the extremes of fewer than four."""
        if len(self.values) < 4:
            return min(self.values), max(self.values)
        first, _, third = statistics.quantiles(self.values, n=4, method="inclusive")
        return first, third


@dataclass(frozen=True)
class Goal:
    """What a row's result should be.

    Attributes:
        bound: In the row's own unit.
        at_most: Whether the result may not exceed the bound; else it may not fall below it.
    """

    bound: float
    at_most: bool = False

    def is_met(self, result: float) -> bool:
        """Return whether a result is as good as this or better."""
        return result <= self.bound if self.at_most else result >= self.bound


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: What `--only` and the results call it: lower case with hyphens, unique.
        figure: What is measured, in words.
        result: The one number, nearly always a ratio of medians.
        unit: Of the result: "×" for how many times better than the baseline, "%", "" …
        goal: What it should be; None for a figure that only explains others.
        series: The measurements that it comes from.
        notes: Sentences that a reader needs to judge it.
    """

    name: str
    figure: str
    result: float
    unit: str
    goal: Goal | None
    series: Sequence[Series]
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        goal = self.goal and {"bound": self.goal.bound, "at_most": self.goal.at_most}
        return {
            "name": self.name,
            "figure": self.figure,
            "result": self.result,
            "unit": self.unit,
            "goal": goal,
            "series": [
                {"label": one.label, "unit": one.unit, "values": list(one.values)}
                for one in self.series
            ],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Row:
        """Read what `to_json` returned."""
        series = [
            Series(one["label"], one["unit"], tuple(one["values"])) for one in document["series"]
        ]
        goal = document["goal"] and Goal(**document["goal"])
        return cls(**{**document, "series": series, "goal": goal})


class WrongAnswerError(Exception):
    """What was timed does not give the answers that it should; the message says which."""
