"""The command that lists the published versions of a model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from training.commands.options import Address
from training.output.printing import print_json, print_table, say

if TYPE_CHECKING:
    from training.published.versions import Published


def versions(
    address: Address,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the published versions of a model, the newest first; the arrow marks the current one."""
    from training.published.versions import list_versions, why_none_is_current

    published = list_versions(address)
    if as_json:
        print_json([asdict(one) for one in published])
    else:
        print_table(_table(published))
    for one in published:
        if one.problem:
            say(f"{one.version} cannot be served: {one.problem}.")
    if not any(one.is_current for one in published):
        choose = f"Choose one: python -m training rollback {address} VERSION"
        say(f"None is the current one. {why_none_is_current(address)} {choose}")


def _table(published: list[Published]) -> Table:
    table = Table()
    for heading in ("", "version", "created (UTC)"):
        table.add_column(heading, no_wrap=True)
    for heading in ("accuracy", "MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    # Of model.json; cut off where the terminal is narrow, --json has it whole.
    table.add_column("sha256", overflow="ellipsis")
    for one in published:
        table.add_row(
            "→" if one.is_current else "",
            one.version,
            one.created[:16].replace("T", " ") or "–",
            "–" if one.accuracy is None else f"{one.accuracy:.3f}",
            f"{one.size / 1e6:.1f}",
            one.sha256 or "–",
        )
    return table
