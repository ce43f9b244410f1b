"""The command that exports a run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from training.commands.options import MovedData, Run, TargetPrecision
from training.errors import interruptible
from training.output.next_step import LOCAL_STORE, say_next
from training.output.printing import print_table

if TYPE_CHECKING:
    from model_loader import Metadata


def export(
    run: Run,
    target_precision: TargetPrecision = None,
    int8: Annotated[
        bool | None,
        typer.Option(
            "--int8/--no-int8",
            help="8-bit integers in model.onnx, if that costs at most 0.5 points of accuracy.",
            show_default="the recipe's",
        ),
    ] = None,
    data: MovedData = None,
) -> None:
    """Export the best weights of a run again, and measure them.

    The new version is in the run's folder model/, and is compared with the one before. Options that
    are not given stay as they were there; --no-int8 and --target-precision 0 take them back. If
    --int8 or --target-precision cannot be reached, the version is written without, and the command
    fails.

    Example: `python -m training export runs/flying-objects/TIME --int8`
    """
    from training.finish import export_run, read_exported
    from training.process import keep_freed_memory
    from training.run import open_run

    keep_freed_memory()
    opened = open_run(run)
    before = read_exported(opened)
    with interruptible(f"Interrupted before the version was measured: {opened.export_again}"):
        metadata = export_run(opened, target_precision, int8, data)
    print_table(_compare(before, metadata))
    say_next("publish", run, LOCAL_STORE)


def _compare(before: Metadata | None, now: Metadata) -> Table:
    versions = [now] if before is None else [before, now]
    table = Table()
    table.add_column("")
    for heading in ("before", "now")[-len(versions) :]:
        table.add_column(heading)
    table.add_row("version", *(version.version for version in versions))
    table.add_row("accuracy", *map(_accuracy, versions))
    table.add_row("threshold", *(f"{version.threshold:.4g}" for version in versions))
    for file in now.files:
        table.add_row(file, *(_size(version, file) for version in versions))
    return table


def _accuracy(version: Metadata) -> str:
    test = version.metrics.get("test")
    if not test:
        return "not measured"
    return f"{test['accuracy']:.3f}, {test['n']:,} test images"


def _size(version: Metadata, file: str) -> str:
    info = version.files.get(file)
    return "–" if info is None else f"{info.size / 1e6:.1f} MB, {version.precision(file)}"
