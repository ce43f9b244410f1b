"""The command that removes old versions of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from training.commands.options import Address
from training.errors import interruptible
from training.output.next_step import as_options, say_next
from training.output.printing import print_table
from training.output.progress import say

if TYPE_CHECKING:
    from training.published.pruning import Decision


def prune(
    address: Address,
    keep: Annotated[int, typer.Option(min=1, help="Number of the newest versions to keep.")] = 5,
    pin: Annotated[
        list[str] | None,
        typer.Option(
            help="Version that a stage pins, or the sha256 that it pins; may be repeated.",
            metavar="VERSION",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing.")] = False,
) -> None:
    """Remove old versions of a published model.

    The current version stays, and each that is given as --pin: a stage that is deployed with
    --param version=… or --param sha256=… needs it. What an interrupted publication has left is
    removed after a day.

    Example: `python -m training prune s3://my-bucket/models/flying-objects --keep 5 --dry-run`
    """
    from training.published.pruning import decide, remove_versions

    pins = pin or []
    decisions = decide(address, keep, pins)
    print_table(_table(decisions))
    old = [decision.version for decision in decisions if not decision.kept]
    figures = f"{len(old)} of {len(decisions)} versions, {sum(v.size for v in old) / 1e6:.1f} MB"
    if not old:
        say("None is removed.")
        say_next("versions", address)
    elif dry_run:
        say(f"It would remove {figures}.")
        say_next("prune", address, *as_options(keep=keep, pin=pin))
    else:
        with interruptible("Interrupted. Run the same command to remove the rest."):
            is_freed = remove_versions(address, old)
        say(f"Removed {figures}.")
        if not is_freed:
            say("The bucket keeps old versions of its objects, until its lifecycle rules end them.")
        say_next("versions", address)


def _table(decisions: list[Decision]) -> Table:
    table = Table()
    for heading in ("version", "created (UTC)"):
        table.add_column(heading, no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True)
    table.add_column("")
    for decision in decisions:
        one = decision.version
        table.add_row(
            one.version,
            one.created[:16].replace("T", " ") or "–",
            f"{one.size / 1e6:.1f}",
            f"keep: {decision.kept}" if decision.kept else "remove",
        )
    return table
