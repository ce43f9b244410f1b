"""The commands that list the published versions of a model, and go back to one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from training.commands.options import Address, AsJson
from training.output.next_step import say_next
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
        say(f"None is the current one. {why_none_is_current(address)}")
    if not as_json:
        _say_next(published, address)


def rollback(
    address: Address,
    version: Annotated[
        str | None,
        typer.Argument(show_default="the one before the current one"),
    ] = None,
) -> None:
    """Make another published version the current one.

    Warm functions follow within MODEL_REFRESH_SECONDS. A later version is chosen the same way.

    Example: `python -m training rollback s3://my-bucket/models/flying-objects`
    """
    from training.published.stored_versions import roll_back

    before, now = roll_back(address, version)
    if before == now:
        say(f"{now} is the current version already.")
    else:
        was = "there was none" if before is None else f"it was {before}"
        say(f"The current version of {address} is {now} now; {was}.")
    say_next("verify", address)


def _say_next(published: list[Published], address: str) -> None:
    whole = [one for one in published if not one.problem]
    if any(one.is_current for one in whole):
        say_next("verify", address)
    elif whole:
        say_next("rollback", address, whole[0].version)
    else:
        say_next("publish", "RUN", address.rstrip("/").rpartition("/")[0])


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
