"""What ``cost`` prints on standard output."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from training.cost.bill import LINES, Bill
from training.cost.estimate import Estimate
from training.cost.usage import FLAVOURS
from training.output.printing import result_console

_LEAST = 0.005  # what is shown as a cent


def print_estimate(estimate: Estimate) -> None:
    """Print what was measured, the bills side by side, and what they rest on."""
    console = result_console()
    size = len(estimate.picture.data)
    _line(console, "Model", estimate.model)
    _line(console, "Picture", f"{estimate.picture.title}, {_bytes(size)}")
    console.print(_measured(estimate))
    console.print(_bills(estimate))
    console.print(_ceiling(estimate))
    console.print("What this rests on", style="bold")
    for heading, said in estimate.assumptions.items():
        text = Text.assemble((f"{heading}:", "bold"), f" {said}")
        console.print(Padding(text, (0, 0, 0, 2)))


def _measured(estimate: Estimate) -> Table:
    table = Table(title="Milliseconds for one picture, measured here", title_justify="left")
    table.add_column("", no_wrap=True)
    for heading in ("decode", "transform", "inference", "together"):
        table.add_column(heading, justify="right", no_wrap=True)
    billed_at = Text(f"billed at\n{estimate.month.memory:,} MB")
    table.add_column(billed_at, justify="right", no_wrap=True)
    for flavour in FLAVOURS:
        steps = estimate.steps.get(flavour.engine)
        if steps is not None:
            times = (steps.decode, steps.transform, steps.inference, steps.total)
            billed = next(one for one in estimate.bills if one.flavour == flavour.title).billed_ms
            table.add_row(flavour.title, *(f"{time:.1f}" for time in times), f"{billed:,}")
    return table


def _bills(estimate: Estimate) -> Table:
    month = estimate.month
    title = f"US dollars a month for {month.requests:,} requests"
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("", footer="total", no_wrap=True)
    for bill in estimate.bills:
        table.add_column(_heading(bill), footer=_dollars(bill.total), justify="right", no_wrap=True)
    for title, _ in LINES:
        cells = [_cell(bill, title) for bill in estimate.bills]
        if any(cells):
            table.add_row(title, *(cell or "–" for cell in cells))
    return table


def _ceiling(estimate: Estimate) -> Table:
    ceiling = estimate.ceiling
    title = f"US dollars a day at most, at {ceiling.rate:g} requests a second"
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for bill in estimate.bills:
        table.add_column(_heading(bill), justify="right", no_wrap=True)
    table.add_row("such pictures", *map(_dollars, ceiling.such))
    table.add_row("the slowest", *map(_dollars, ceiling.slowest))
    return table


def _heading(bill: Bill) -> Text:
    return Text("\n".join([*bill.flavour.split(), bill.architecture]))


def _cell(bill: Bill, title: str) -> str | None:
    for line in bill.lines:
        if line.title == title:
            return _dollars(line.dollars)
    return None


def _dollars(dollars: float) -> str:
    return "< 0.01" if 0 < dollars < _LEAST else f"{dollars:,.2f}"


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _line(console: Console, heading: str, said: str) -> None:
    console.print(Text(f"{heading}:", "bold"), said)
