"""What Lambda's compute costs for a million requests, from the times of the rows before."""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks.functions import MEMORY
from benchmarks.pictures import Picture, pictures
from benchmarks.rows import Goal, Options, Row, Series
from training.cost.prices import read_prices

GOAL = Goal(8)

COLD = 0.01
"""Of the requests, that find no warm function; what `training cost` assumes."""

OTHER_SHARES = (0.0, 0.05, 0.2)

REQUESTS = 1_000_000


def rows(options: Options) -> Iterator[Row]:
    """Price the times of `cold` and `warm` on one processor; nothing where those are missing."""
    large, _, small = pictures(options)
    for picture in (large, small):
        for name in ("ONNX", "TorchScript"):
            side = name.lower()
            cold = options.earlier.get(f"cold-{side}")
            warm = options.earlier.get(f"warm-{picture.name}-p50-{side}")
            first = options.earlier.get(f"warm-{small.name}-p50-{side}")
            if cold and warm and first:
                yield _row(f"dollars-{picture.name}-{side}", picture, name, cold, warm, first)


def _row(row: str, picture: Picture, name: str, cold: Row, warm: Row, first: Row) -> Row:
    def costs(share: float) -> tuple[float, float]:
        baseline, ours = (_dollars(side, cold, warm, first, share) for side in ("baseline", name))
        return baseline, ours

    baseline, ours = costs(COLD)
    others = [
        f"{100 * share:.0f} %: {baseline / ours:.1f} ×"
        for share in OTHER_SHARES
        for baseline, ours in [costs(share)]
    ]
    return Row(
        name=row,
        figure=f"Compute of a million requests, {picture.title}, {name}, {100 * COLD:.0f} % cold",
        result=baseline / ours,
        unit="×",
        goal=GOAL,
        series=[Series("baseline", "$", (baseline,)), Series(name, "$", (ours,))],
        notes=[
            f"{MEMORY} MB, x86_64; init is billed; without fees of requests and gateway",
            f"with other shares of cold starts, {', '.join(others)}",
        ],
    )


def _dollars(side: str, cold: Row, warm: Row, first: Row, share: float) -> float:
    """Return what one side's compute costs.

    Args:
        side: "baseline", or whose rows they are.
        cold: The cold start, whose picture was that of `first`.
        warm: The picture that all requests bring.
        first: The picture of the cold start, warm.
        share: Of cold starts.
    """
    start = _median(cold, f"{side}: init") + _median(cold, f"{side}: first event")
    extra = max(0.0, start - _median(first, side))
    milliseconds = math.ceil(_median(warm, side)) + share * extra
    gigabyte_seconds = REQUESTS * milliseconds / 1000 * int(MEMORY) / 1024
    return read_prices().prices["lambda_x86_64"].cost(gigabyte_seconds)


def _median(row: Row, label: str) -> float:
    return next(one.median for one in row.series if one.label == label)
