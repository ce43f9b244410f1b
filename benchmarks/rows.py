"""Rows: one figure each, with the measurements behind it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Options:
    """The command line's options, and what rows share.

    Attributes:
        runs: New processes for each side of a comparison; at least 1.
        smoke: Whether to measure as little as shows that a row works and its answers are right.
        data: A folder with photographs and a folder `flying-objects/`; None to draw images.
        work: A temporary folder.
        closing: Closed after the last row: holds servers that several rows need.
        earlier: The rows that were measured before, now or by an earlier command, by name.
    """

    runs: int
    smoke: bool
    data: Path | None
    work: Path
    closing: ExitStack
    earlier: Mapping[str, Row]


@dataclass(frozen=True)
class Series:
    """The measurements of one side of a comparison, one for each run, in the order measured."""

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
    """A bound on a row's result, in its unit: an upper one if `at_most`, else a lower one."""

    bound: float
    at_most: bool = False

    def is_met(self, result: float) -> bool:
        """Return whether a result is as good as this or better."""
        return result <= self.bound if self.at_most else result >= self.bound


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: Its key in the results: lower case with hyphens, unique.
        figure: The quantity, in words.
        result: The one number, nearly always a ratio of medians.
        unit: Unit of the result: "×" for how many times better than the baseline, "%", "" …
        goal: The goal; None for a figure without one.
        series: The measurements that it comes from.
        date: When it was measured, ISO 8601.
        command: The command line that measured it.
        machine: Processor, system and versions by name.
    """

    name: str
    figure: str
    result: float
    unit: str
    goal: Goal | None
    series: Sequence[Series]
    date: str = ""
    command: str = ""
    machine: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Row:
        """Read what `dataclasses.asdict` made."""
        series = [Series(**{**one, "values": tuple(one["values"])}) for one in document["series"]]
        goal = document["goal"] and Goal(**document["goal"])
        return cls(**{**document, "series": series, "goal": goal})


def compared(name: str, figure: str, goal: Goal | None, baseline: Series, ours: Series) -> Row:
    """Return the row that says how many times better ours is than the baseline."""
    return Row(name, figure, times_better(baseline, ours), "×", goal, [baseline, ours])


def times_better(baseline: Series, ours: Series) -> float:
    """Return the ratio of medians: more is better for a unit with "/s", less for any other."""
    ratio = baseline.median / ours.median
    return 1 / ratio if ours.unit.endswith("/s") else ratio


class WrongAnswerError(Exception):
    """The code that was timed gives wrong answers; the message says which."""
