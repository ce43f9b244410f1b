"""The command that exports a run again."""

from __future__ import annotations

from typing import Annotated

import typer

from training.commands.options import MovedData, Run, TargetPrecision
from training.errors import interruptible
from training.output.printing import say


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

    The new version is in the run's folder model/. If --int8 or --target-precision cannot be
    reached, the version is written without, and the command fails.

    Example: `python -m training export runs/flying-objects/TIME --int8`
    """
    from training.finish import export_run
    from training.process import keep_freed_memory
    from training.run import open_run

    keep_freed_memory()
    opened = open_run(run)
    with interruptible(f"Interrupted before the version was measured: {opened.export_again}"):
        metadata = export_run(opened, target_precision, int8, data)
    say(f"Version {metadata.version} in {run / 'model'}, threshold {metadata.threshold:.4g}")
