"""Bills: what a month's usage costs, line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_loader import Timings
from training.cost.prices import Item, PriceList
from training.cost.usage import ARCHITECTURES, FLAVOURS, Month, Usage, use

LINES: tuple[tuple[str, tuple[Item, ...]], ...] = (
    ("Lambda requests", ("lambda_requests",)),
    ("Lambda GB-seconds", ("lambda_x86_64", "lambda_arm64")),
    ("API Gateway (REST)", ("gateway_rest",)),
    ("S3 storage", ("s3_storage",)),
    ("S3 GET", ("s3_get",)),
    ("ECR storage", ("ecr_storage",)),
    ("data out", ("transfer_out",)),
    ("CloudWatch logs", ("logs",)),
)
"""The lines of a bill in order, and the items that each may stand for."""


@dataclass(frozen=True)
class Line:
    """One line of a bill.

    Attributes:
        title: What is paid for.
        amount: How much of it, in ``unit``.
        unit: What is counted.
        dollars: What that costs.
    """

    title: str
    amount: float
    unit: str
    dollars: float


@dataclass(frozen=True)
class Bill:
    """What one flavour costs in a month on one architecture.

    Attributes:
        flavour: Its title.
        architecture: Lambda's name of it.
        billed_ms: Of one warm request.
        lines: In the order of ``LINES``; what is not used is not there.
    """

    flavour: str
    architecture: str
    billed_ms: int
    lines: tuple[Line, ...]

    @property
    def total(self) -> float:
        """US dollars for the month."""
        return sum(line.dollars for line in self.lines)


def bill(
    flavour: str, architecture: str, usage: Usage, prices: PriceList, free_tier: bool = False
) -> Bill:
    """Return the bill for what was used."""
    lines = []
    for title, items in LINES:
        for item in items:
            if item in usage.amounts:
                amount, price = usage.amounts[item], prices.prices[item]
                lines.append(Line(title, amount, price.unit, price.cost(amount, free_tier)))
    return Bill(flavour, architecture, usage.billed_ms, tuple(lines))


def all_bills(
    steps: Mapping[str, Timings],
    model: int,
    month: Month,
    prices: PriceList,
    free_tier: bool = False,
) -> list[Bill]:
    """Return the bill of each flavour that was measured, on each architecture.

    Args:
        steps: What was measured, by engine.
        model: Bytes of the published version.
        month: What is asked of the service.
        prices: What AWS asks.
        free_tier: Whether the account's free tier is taken off.
    """
    return [
        bill(
            flavour.title,
            architecture,
            use(flavour, compute, steps[flavour.engine].total, model, month),
            prices,
            free_tier,
        )
        for flavour in FLAVOURS
        if flavour.engine in steps
        for architecture, compute in ARCHITECTURES
    ]
