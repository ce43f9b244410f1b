"""The most that a day can cost: as many requests as the gateway lets through, day and night."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from model_loader import Timings
from training.cost.bill import Bill, all_bills
from training.cost.prices import PriceList
from training.cost.usage import MEMORY, OVERHEAD, TIMEOUT, Month
from training.errors import TrainingError

_DAY = 86_400  # seconds
_STORED = ("S3 storage", "ECR storage")  # paid whether anybody asks or not


@dataclass(frozen=True)
class Ceiling:
    """What a day costs in US dollars, of each bill in order, while strangers ask without a pause.

    Attributes:
        rate: Requests a second.
        such: If every request is like the one that was measured.
        slowest: If every request takes until the function's timeout.
    """

    rate: float
    such: tuple[float, ...]
    slowest: tuple[float, ...]


def ceiling(rate: float, steps: Mapping[str, Timings], month: Month, prices: PriceList) -> Ceiling:
    """Return the most that a day can cost at a rate.

    Args:
        rate: Requests a second, as in ``--param rate=…``.
        steps: What was measured, by engine.
        month: Whose memory and cold starts hold for the day too.
        prices: What AWS asks.

    Raises:
        TrainingError: The rate is none.
    """
    if not 0 < rate < math.inf:
        raise TrainingError(f"--rate is {rate:g}; it must be more than 0 requests a second.")
    day = replace(month, requests=math.ceil(rate * _DAY))
    # Warm, and as long as the timeout on the clock, which less memory does not stretch.
    until_timeout = Timings(0, 0, 1000 * TIMEOUT * min(1, month.memory / MEMORY) - OVERHEAD)
    return Ceiling(
        rate,
        _totals(all_bills(steps, 0, day, prices)),
        _totals(all_bills(dict.fromkeys(steps, until_timeout), 0, replace(day, cold=0.0), prices)),
    )


def _totals(bills: list[Bill]) -> tuple[float, ...]:
    return tuple(
        sum(line.dollars for line in bill.lines if line.title not in _STORED) for bill in bills
    )
