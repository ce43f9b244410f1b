"""What a month of requests uses of AWS's services, and what that rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.cost.prices import Item
from training.errors import TrainingError

MEMORY = 1769
"""MB, as in serverless.yml: at so many Lambda gives one whole vCPU."""

REFRESH = 60
"""Seconds between a warm function's looks at ``current.json``, as in serverless.yml."""

TIMEOUT = 29
"""Seconds that a request may take, as in serverless.yml."""

RATE = 10
"""Requests a second that the gateway lets through, as in serverless.yml."""

LEAST_MEMORY, MOST_MEMORY = 128, 10240
ARCHITECTURES: tuple[tuple[str, Item], ...] = (
    ("x86_64", "lambda_x86_64"),
    ("arm64", "lambda_arm64"),
)
"""What Lambda runs on, and the price of its GB-seconds."""

OVERHEAD = 5.0
"""Milliseconds of one vCPU for what is not measured: reading the request, writing the answer."""

ANSWER_BYTES = 1_000
"""An answer with its headers."""

LOG_BYTES = 1_500
"""Lambda's three lines for each request, and one of the function's own, which has the metrics."""

READS_OF_A_START = 3
"""``current.json``, ``model.json`` and the network's file."""

_SECONDS = 730 * 3600  # of a month, as AWS counts it
_MOST_REQUESTS = 10**12


@dataclass(frozen=True)
class Flavour:
    """One of the two ways in which the function is shipped.

    Attributes:
        title: For people.
        engine: What runs the network.
        start: Milliseconds of one vCPU that a cold start adds: imports, S3, the model's load.
            Rounded up from docs/performance.md, where nothing had to be read from a disk.
        package: Bytes that are stored of it.
        stored_as: Where they are.
    """

    title: str
    engine: str
    start: float
    package: int
    stored_as: Item


FLAVOURS = (
    Flavour("TorchScript image", "torchscript", 1100, 1_000_000_000, "ecr_storage"),
    Flavour("ONNX zip", "onnx", 300, 41_000_000, "s3_storage"),
)


@dataclass(frozen=True)
class Month:
    """What is asked of the service in a month, and what the function is given.

    Attributes:
        requests: To classify one picture each.
        memory: MB of the function.
        cold: The share of requests that find no warm function, 0…1.
        start: Milliseconds of one vCPU that a cold start adds; None for the flavour's own.
    """

    requests: int
    memory: int
    cold: float
    start: float | None = None

    def __post_init__(self) -> None:
        """Refuse what Lambda would not do."""
        if not 1 <= self.requests <= _MOST_REQUESTS:
            raise TrainingError(
                f"--requests is {self.requests:,}; it must be from 1 to {_MOST_REQUESTS:.0e}: the "
                "requests of a month, 1e6 for a million."
            )
        if not LEAST_MEMORY <= self.memory <= MOST_MEMORY:
            raise TrainingError(
                f"--memory is {self.memory:,}; Lambda gives a function from {LEAST_MEMORY} to "
                f"{MOST_MEMORY:,} MB. Without --memory it is serverless.yml's {MEMORY:,}."
            )
        if not 0 <= self.cold <= 1:
            raise TrainingError(f"--cold is {self.cold:g}; a share lies between 0 and 1.")
        if self.start is not None and not 0 <= self.start < math.inf:
            raise TrainingError(f"--start is {self.start:g}; a time is 0 ms or more.")


@dataclass(frozen=True)
class Usage:
    """What a month uses.

    Attributes:
        billed_ms: Of one warm request.
        amounts: Of each item, in its price's unit.
    """

    billed_ms: int
    amounts: dict[Item, float]


def billed_ms(milliseconds: float, memory: int) -> int:
    """Return what Lambda bills for so many milliseconds of one whole vCPU.

    A function gets its share of a vCPU by its memory, one whole at 1,769 MB. Below, everything
    takes longer; above, one thread gets no faster.

    Args:
        milliseconds: Of computing.
        memory: MB of the function.
    """
    stretched = milliseconds * max(1.0, MEMORY / memory)
    return max(1, math.ceil(round(stretched, 6)))


def use(flavour: Flavour, compute: Item, milliseconds: float, model: int, month: Month) -> Usage:
    """Return what a month uses.

    Args:
        flavour: What is deployed.
        compute: The item of its architecture's GB-seconds.
        milliseconds: Of one whole vCPU, for one warm classification, as measured.
        model: Bytes of the published version.
        month: What is asked.
    """
    warm = billed_ms(milliseconds + OVERHEAD, month.memory)
    start = flavour.start if month.start is None else month.start
    cold = month.requests * month.cold
    seconds = (month.requests * warm + cold * start * max(1.0, MEMORY / month.memory)) / 1000
    amounts: dict[Item, float] = {
        "lambda_requests": month.requests,
        compute: seconds * month.memory / 1024,
        "gateway_rest": month.requests,
        "s3_storage": _gigabytes(model),
        "s3_get": cold * READS_OF_A_START + _looks(month.requests, seconds),
        "transfer_out": _gigabytes(month.requests * ANSWER_BYTES),
        "logs": _gigabytes(month.requests * LOG_BYTES),
    }
    amounts[flavour.stored_as] = amounts.get(flavour.stored_as, 0) + _gigabytes(flavour.package)
    return Usage(warm, amounts)


def _looks(requests: int, seconds: float) -> float:
    """Return how often warm functions ask S3 for another version, at most.

    As many functions are warm as requests are answered at the same time, if they come evenly.
    """
    warm = math.ceil(seconds / _SECONDS)
    return min(requests, warm * _SECONDS / REFRESH)


def _gigabytes(size: int) -> float:
    return size / 2**30
