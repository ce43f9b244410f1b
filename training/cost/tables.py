"""The table of ``cost``, and what its figures rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from training.cost.bill import (
    ANSWER_BYTES,
    FLAVOURS,
    LOG_BYTES,
    MEMORY,
    OVERHEAD,
    RATE,
    TIMEOUT,
    Bill,
    Month,
)
from training.cost.measure import RUNS
from training.cost.prices import TITLES, PriceList


def bill_table(bills: Sequence[Bill], most: Mapping[str, Sequence[float]], month: Month) -> Table:
    """Return the bills side by side, and the most that a day can cost."""
    table = Table(title=f"US dollars a month for {month.requests:,} requests", title_justify="left")
    table.add_column("", no_wrap=True)
    for one in bills:
        heading = "\n".join([*one.flavour.split(), one.architecture])
        table.add_column(Text(heading), justify="right", no_wrap=True)
    table.add_row("billed ms a request", *(f"{one.billed_ms:,}" for one in bills))
    table.add_section()
    for title in dict.fromkeys(TITLES.values()):
        if any(title in one.dollars for one in bills):
            table.add_row(title, *(_dollars(one.dollars.get(title)) for one in bills))
    table.add_section()
    table.add_row("total", *(_dollars(one.total) for one in bills), style="bold")
    table.add_row("less the free tier", *(_dollars(one.after_free_tier) for one in bills))
    table.add_section()
    table.add_row(f"a day at most, {RATE} a second")
    for title, amounts in most.items():
        table.add_row(f"  {title}", *map(_dollars, amounts))
    return table


def notes(month: Month, prices: PriceList) -> dict[str, str]:
    """Return what the figures rest on, by what it is about."""
    starts = " or ".join(f"{one.start:,g} ms ({one.title})" for one in FLAVOURS)
    return {
        "Prices": f"{prices.region}'s list prices as generally known on {prices.noted}, without "
        "tax. They must be checked: training/cost/prices.yaml names AWS's page of each. The free "
        "tier counts as if this service alone used it.",
        "Speed": f"median processor time of {RUNS} warm runs, one thread, on this machine, whose "
        f"core is taken for one Lambda vCPU, x86_64 or arm64. {month.memory:,} MB give "
        f"{min(1, month.memory / MEMORY):.2g} vCPU. Whether the model fits is not checked.",
        "Requests": f"one image each, spread evenly; {OVERHEAD:g} ms more to read it and "
        f"write the answer, {ANSWER_BYTES / 1000:g} kB of answer, {LOG_BYTES / 1000:g} kB of log; "
        f"{100 * month.cold:g} % are cold starts, {starts} longer at one vCPU.",
        "A day at most": "in proportion to --param rate, which AWS means as a target: somewhat "
        f"more may come through. The slowest requests take {TIMEOUT} s, the timeout, and need as "
        "many functions at a time as the account allows; --param reserved=N allows N.",
        "Not counted": "alarms, dashboards, metrics, kept logs, older versions, provisioned "
        "functions, uploads of large images, requests other than classifications.",
    }


def _dollars(dollars: float | None) -> str:
    if dollars is None:
        return "–"
    return "< 0.01" if 0 < dollars < 0.005 else f"{dollars:,.2f}"
