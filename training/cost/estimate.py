"""A whole estimate: what was measured, the bills, and all that they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model_loader import Timings
from training.cost.bill import Bill
from training.cost.ceiling import Ceiling
from training.cost.measure import RUNS, Picture
from training.cost.prices import PriceList
from training.cost.usage import (
    ANSWER_BYTES,
    FLAVOURS,
    LOG_BYTES,
    MEMORY,
    OVERHEAD,
    REFRESH,
    TIMEOUT,
    Month,
)


@dataclass(frozen=True)
class Estimate:
    """What ``cost`` prints.

    Attributes:
        model: Name and version.
        picture: What was classified.
        month: What is asked of the service.
        steps: What was measured, by engine.
        bills: Of each flavour and architecture.
        ceiling: The most that a day can cost of each.
        assumptions: What the bills rest on, by what it is about.
    """

    model: str
    picture: Picture
    month: Month
    steps: Mapping[str, Timings]
    bills: Sequence[Bill]
    ceiling: Ceiling
    assumptions: Mapping[str, str]

    def describe(self, prices: PriceList) -> dict[str, Any]:
        """Return all of it and the prices, for JSON."""
        return {
            "model": self.model,
            "picture": {"title": self.picture.title, "bytes": len(self.picture.data)},
            "month": asdict(self.month),
            "measured_ms": {
                engine: {**asdict(steps), "total": steps.total}
                for engine, steps in self.steps.items()
            },
            "bills": [{**asdict(bill), "total": bill.total} for bill in self.bills],
            "ceiling": asdict(self.ceiling),
            "assumptions": dict(self.assumptions),
            "prices": prices.model_dump(mode="json"),
        }


def assumptions(month: Month, prices: PriceList, free_tier: bool) -> dict[str, str]:
    """Return what a bill rests on, by what it is about."""
    free = "taken off as if this service alone used it" if free_tier else "not taken off"
    return {
        "Prices": f"{prices.region}'s list prices as generally known on {prices.noted}, without "
        "tax. They must be checked: training/cost/prices.yaml names AWS's page of each; mend them "
        f"there. The free tier is {free}.",
        "Speed": f"median processor time of {RUNS} warm runs, one thread, on this machine, whose "
        f"core is taken for one Lambda vCPU, x86_64 or arm64. {_share(month.memory)} Whether the "
        "model fits the memory is not checked.",
        "Each request": f"one picture; {OVERHEAD:g} ms more for reading it and writing the answer; "
        f"{ANSWER_BYTES / 1000:g} kB of answer and {LOG_BYTES / 1000:g} kB of log.",
        "Cold starts": f"{100 * month.cold:.4g} % of the requests (--cold), each {_starts(month)} "
        "longer at one vCPU (--start), and billed.",
        "Storage": "one version and the package are kept, the image with 1 GB; a warm function "
        f"looks for another version every {REFRESH} s; requests come evenly.",
        "A day at most": "AWS means a rate as a target, so that somewhat more may come through. "
        "Only classifications are counted, one picture each; the other routes have the same rate "
        f"of their own. The slowest take {TIMEOUT} s, the timeout, which needs as many functions "
        "at a time as the account allows; --param reserved=N allows N.",
        "Not counted": "alarms, dashboards, metrics, kept logs, older versions, provisioned "
        "functions, uploads of large pictures, requests other than classifications.",
    }


def _share(memory: int) -> str:
    if memory < MEMORY:
        return (
            f"{memory:,} MB give {memory / MEMORY:.2f} of one, so everything takes "
            f"{MEMORY / memory:.1f} times as long."
        )
    return f"{memory:,} MB give a whole one; one thread cannot use more."


def _starts(month: Month) -> str:
    if month.start is not None:
        return f"{month.start:,g} ms"
    return " or ".join(f"{flavour.start:,g} ms ({flavour.title})" for flavour in FLAVOURS)
