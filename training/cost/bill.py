"""The bill of a month: what requests use of AWS's services, times the prices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from training.cost.prices import TITLES, PriceList

# As in serverless.yml:
MEMORY = 1769  # MB; with it Lambda gives one whole vCPU
REFRESH = 60  # seconds between two reads of current.json by a warm function
TIMEOUT = 29  # seconds that a request may take
RATE = 10  # requests a second that the gateway lets through

COLD = 0.01  # share of the requests that start a function
OVERHEAD = 5.0  # ms of a vCPU that are not measured: reading the request, writing the answer
ANSWER_BYTES = 1_000  # with headers
LOG_BYTES = 1_500  # three lines of Lambda, and one of the function with the metrics
_READS_OF_A_START = 3  # current.json, model.json and the file of the network
_MONTH, _DAY = 730 * 3600, 86_400  # seconds, as AWS counts them
_STORED = ("S3 storage", "ECR storage")  # paid without any request


class Flavour(NamedTuple):
    """One of the two ways in which the function is shipped."""

    title: str
    engine: str
    start: float  # ms of one vCPU that a cold start adds, rounded up from the benchmarks
    package: int  # bytes
    stored_as: str  # the item that its storage is paid by


FLAVOURS = (
    Flavour("TorchScript image", "torchscript", 1100, 1_000_000_000, "ecr_storage"),
    Flavour("ONNX zip", "onnx", 300, 41_000_000, "s3_storage"),
)


class Month(NamedTuple):
    """The load: requests with one image each, MB of the function, and the share of cold starts."""

    requests: int
    memory: int = MEMORY
    cold: float = COLD


@dataclass(frozen=True)
class Bill:
    """The monthly bill of a flavour on an architecture.

    Attributes:
        billed_ms: Milliseconds of one warm request.
        amounts: Units of each item, by its key in ``prices.yaml``.
        dollars: Price of each line, by its title.
        after_free_tier: Dollars if this service alone uses the account's free tier.
    """

    flavour: str
    architecture: str
    billed_ms: int
    amounts: dict[str, float]
    dollars: dict[str, float]
    after_free_tier: float

    @property
    def total(self) -> float:
        """US dollars of all lines."""
        return sum(self.dollars.values())


def billed_ms(milliseconds: float, memory: int) -> int:
    """Return the milliseconds that Lambda bills for some of one whole vCPU.

    Less memory than ``MEMORY`` gives a smaller share of it; one thread cannot use more than one.
    """
    return max(1, math.ceil(round(milliseconds * max(1.0, MEMORY / memory), 6)))


def bill(
    flavour: Flavour, architecture: str, measured: float, size: int, month: Month, prices: PriceList
) -> Bill:
    """Return the bill for a classification measured in milliseconds and a version of size bytes."""
    warm, cold = billed_ms(measured + OVERHEAD, month.memory), month.requests * month.cold
    start = flavour.start * max(1.0, MEMORY / month.memory)
    seconds = (month.requests * warm + cold * start) / 1000
    functions = math.ceil(seconds / _MONTH)  # that are warm, if requests come evenly
    amounts = {
        "lambda_requests": month.requests,
        f"lambda_{architecture}": seconds * month.memory / 1024,
        "gateway_rest": month.requests,
        "s3_storage": size / 2**30,
        "s3_get": cold * _READS_OF_A_START + min(month.requests, functions * _MONTH / REFRESH),
        "transfer_out": month.requests * ANSWER_BYTES / 2**30,
        "logs": month.requests * LOG_BYTES / 2**30,
    }
    amounts[flavour.stored_as] = amounts.get(flavour.stored_as, 0) + flavour.package / 2**30
    used = [(title, prices.prices[i], amounts[i]) for i, title in TITLES.items() if i in amounts]
    return Bill(
        flavour.title,
        architecture,
        warm,
        amounts,
        {title: price.cost(amount) for title, price, amount in used},
        sum(price.cost(amount, free_tier=True) for _, price, amount in used),
    )


def all_bills(
    measured: Mapping[str, float], size: int, month: Month, prices: PriceList
) -> list[Bill]:
    """Return the bill of each flavour whose engine was measured, on each architecture."""
    return [
        bill(flavour, architecture, measured[flavour.engine], size, month, prices)
        for flavour in FLAVOURS
        if flavour.engine in measured
        for architecture in ("x86_64", "arm64")
    ]


def ceiling(
    measured: Mapping[str, float], month: Month, prices: PriceList
) -> dict[str, list[float]]:
    """Return the most dollars that a day can cost for each bill, at ``RATE`` requests a second.

    The requests are like the measured one, or all of them take until the timeout: seconds of the
    clock, which less memory does not stretch.
    """
    day = month._replace(requests=RATE * _DAY)
    slowest = 1000 * TIMEOUT * min(1, month.memory / MEMORY) - OVERHEAD
    cases = {
        "such images": all_bills(measured, 0, day, prices),
        "the slowest": all_bills(dict.fromkeys(measured, slowest), 0, day._replace(cold=0), prices),
    }
    return {
        title: [one.total - sum(one.dollars.get(line, 0) for line in _STORED) for one in bills]
        for title, bills in cases.items()
    }
