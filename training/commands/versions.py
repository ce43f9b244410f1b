"""The command that lists the published versions of a model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from training.commands.options import Address, AsJson
from training.output.printing import print_json, print_table
from training.output.progress import say

if TYPE_CHECKING:
    from training.published.stored_versions import Published


def versions(
    address: Address,
    as_json: AsJson = False,
) -> None:
    """List the published versions of a model.

    The newest is first; an arrow marks the current one.

    Example: `python -m training versions s3://my-bucket/models/flying-objects`
    """
    from training.published.stored_versions import list_versions, why_none_is_current

    published = list_versions(address)
    if as_json:
        print_json([asdict(one) for one in published])
    else:
        print_table(_table(published), ("sha256",))
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
    table.add_column("sha256", no_wrap=True)  # of model.json
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
