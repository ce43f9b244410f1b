"""The command that goes back to another published version."""

from __future__ import annotations

from typing import Annotated

import typer

from training.commands.options import Address
from training.output.next_step import say_next
from training.output.progress import say


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
