"""What Lambda's compute costs for a million requests, from the times of the rows before."""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks.functions import MEMORY
from benchmarks.pictures import pictures
from benchmarks.rows import Goal, Options, Row, Series
from training.cost.prices import read_prices

GOAL = Goal(8)

COLD_SHARES = (0.01, 0.05, 0.2)
"""Of the requests, that find no warm function; the first is what `training cost` assumes."""

REQUESTS = 1_000_000


def rows(options: Options) -> Iterator[Row]:
    """Price the times of `cold` and `warm` on one processor; nothing where those are missing."""
    for picture in pictures(options):
        for name in ("ONNX", "TorchScript"):
            cold = options.earlier.get(f"cold-{name.lower()}")
            warm = options.earlier.get(f"warm-{picture.name}-p50-{name.lower()}")
            small = options.earlier.get(f"warm-0.2mp-p50-{name.lower()}")
            if not (cold and warm and small):
                continue
            for share in COLD_SHARES:
                series = [_dollars(side, cold, warm, small, share) for side in ("baseline", name)]
                baseline, ours = (one.median for one in series)
                yield Row(
                    name=f"dollars-{picture.name}-{name.lower()}-{100 * share:.0f}-percent-cold",
                    figure=f"Compute of a million requests, {picture.title}, {name}, "
                    f"{100 * share:.0f} % cold",
                    result=baseline / ours,
                    unit="×",
                    goal=GOAL,
                    series=series,
                    notes=[f"{MEMORY} MB, x86_64; init is billed; no request or gateway fees"],
                )


def _dollars(side: str, cold: Row, warm: Row, small: Row, share: float) -> Series:
    """Return what one side's compute costs; a cold start was measured with the small picture."""
    start = _median(cold, f"{side}: init") + _median(cold, f"{side}: first event")
    extra = max(0.0, start - _median(small, side))
    milliseconds = math.ceil(_median(warm, side)) + share * extra
    gigabyte_seconds = REQUESTS * milliseconds / 1000 * int(MEMORY) / 1024
    price = read_prices().prices["lambda_x86_64"]
    return Series(side, "$", (price.cost(gigabyte_seconds),))


def _median(row: Row, label: str) -> float:
    return next(one.median for one in row.series if one.label == label)
