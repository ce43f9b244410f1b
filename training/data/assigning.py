"""Assigning groups of images to the parts of a split, so that each class meets its shares.

Each group goes, in a random order, to the part where it brings the classes nearest to their shares.
Then a class that is missing from a part gets the cheapest group, and single groups are moved while
that lowers the total cost. The best of several orders is taken.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_ORDERS = 20
_STEPS = 50_000  # groups assigned in all orders together, about; at least one order is tried
_SWEEPS = 10
_ROUNDING = 1e-12
_COST_OF_ABSENCE = 1e3  # of a class in a part, far above that of any shares missed


@dataclass(frozen=True)
class _Unit:
    """Images that stay together: their number by class, and the parts they may be in."""

    counts: Mapping[int, int]
    parts: tuple[int, ...]


def assign_groups(
    labels: Sequence[str], groups: Sequence[str], shares: Sequence[float], seed: int
) -> list[int]:
    """Return the part of each image, an index into ``shares``.

    A group that would fill more than half of a class's share of a part stays in the first one: a
    clip of near-duplicates would decide the class's figures by itself. A class that has little else
    keeps its groups free.

    ``shares``, which sum to 1, are the fractions of each class's images for each part; a part whose
    share is 0 stays empty.
    """
    sizes: dict[str, Counter[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        sizes.setdefault(group, Counter())[label] += 1
    index = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    open_parts = [part for part, share in enumerate(shares) if share]
    large = {part: _large_groups(sizes, shares[part]) for part in open_parts[1:]}
    units = [
        _Unit(
            {index[label]: n for label, n in own.items()},
            tuple(part for part in open_parts if group not in large.get(part, ())),
        )
        for group, own in sizes.items()
    ]
    totals = Counter(labels)
    targets = [[totals[label] * share for share in shares] for label in index]
    chosen = random.Random(seed)
    tries = max(1, min(_ORDERS, _STEPS // len(units)))
    found = min((_Assignment(units, targets, chosen) for _ in range(tries)), key=_Assignment.cost)
    of_group = dict(zip(sizes, found.parts, strict=True))
    return [of_group[group] for group in groups]


def _large_groups(sizes: Mapping[str, Counter[str]], share: float) -> set[str]:
    by_label: dict[str, Counter[str]] = {}
    for group, own in sizes.items():
        for label, n in own.items():
            by_label.setdefault(label, Counter())[group] = n
    large: set[str] = set()
    for groups in by_label.values():
        total = groups.total()
        limit = total * share / 2
        if sum(n for n in groups.values() if n <= limit) >= total / 2:
            large |= {group for group, n in groups.items() if n > limit}
    return large


class _Assignment:
    """The parts of all units, found in one order."""

    def __init__(
        self, units: Sequence[_Unit], targets: Sequence[Sequence[float]], chosen: random.Random
    ) -> None:
        self._units = units
        self._targets = targets
        self._totals = [sum(own) for own in targets]
        self._counts = [[0] * len(own) for own in targets]
        self._absent = 0.0  # an absent class costs nothing while the units are placed
        order = list(range(len(units)))
        chosen.shuffle(order)
        self.parts = [-1] * len(units)
        for unit in order:
            self._move(unit, self._best(unit)[1])
        self._absent = _COST_OF_ABSENCE
        self._fill(order)
        self._improve(order)

    def cost(self) -> float:
        """Return the squared distance of the classes from their shares."""
        return sum(
            self._term(label, part, n)
            for label, counts in enumerate(self._counts)
            for part, n in enumerate(counts)
        )

    def _term(self, label: int, part: int, n: int) -> float:
        target = self._targets[label][part]
        absent = self._absent if target and not n else 0.0
        return ((n - target) / self._totals[label]) ** 2 + absent

    def _best(self, unit: int) -> tuple[float, int]:
        """Return the lowest added cost of moving a unit, and the part."""
        return min((self._gain(unit, part), part) for part in self._units[unit].parts)

    def _gain(self, unit: int, part: int) -> float:
        """Return the added cost of moving a unit to a part."""
        here, added = self.parts[unit], 0.0
        if part == here:
            return 0.0
        for label, n in self._units[unit].counts.items():
            there = self._counts[label][part]
            added += self._term(label, part, there + n) - self._term(label, part, there)
            if here >= 0:
                now = self._counts[label][here]
                added += self._term(label, here, now - n) - self._term(label, here, now)
        return added

    def _move(self, unit: int, part: int) -> None:
        here = self.parts[unit]
        for label, n in self._units[unit].counts.items():
            self._counts[label][part] += n
            if here >= 0:
                self._counts[label][here] -= n
        self.parts[unit] = part

    def _fill(self, order: Sequence[int]) -> None:
        """Give each part images of each class, if moving one unit is enough."""
        for label, counts in enumerate(self._counts):
            for part, n in enumerate(counts):
                if n or not self._targets[label][part]:
                    continue
                having = [
                    unit
                    for unit in order
                    if label in self._units[unit].counts and part in self._units[unit].parts
                ]
                best = min(having, key=lambda unit: self._gain(unit, part), default=None)
                if best is not None and self._gain(best, part) < 0:
                    self._move(best, part)

    def _improve(self, order: Sequence[int]) -> None:
        for _ in range(max(1, min(_SWEEPS, _STEPS // len(order)))):
            moved = False
            for unit in order:
                gain, best = self._best(unit)
                if gain < -_ROUNDING:
                    self._move(unit, best)
                    moved = True
            if not moved:
                return
