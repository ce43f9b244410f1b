"""The command that exports a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import MovedData, Precision
from training.errors import interruptible
from training.output.printing import say


def export(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    precision: Precision = None,
    int8: Annotated[
        bool | None,
        typer.Option(
            "--int8/--no-int8",
            help="Eight-bit numbers in model.onnx, if that costs at most 0.5 points of accuracy.",
            show_default="the recipe's",
        ),
    ] = None,
    data: MovedData = None,
) -> None:
    """Export a run's best weights again, as a new version in its folder `model`, and measure it.

    It fails where --int8 or --precision cannot be had; the version is written without, then.
    """
    from training.process import keep_freed_memory
    from training.run import open_run
    from training.train import export_run

    keep_freed_memory()
    opened = open_run(run)
    with interruptible(f"Interrupted before the version was measured: {opened.export_again}"):
        metadata = export_run(opened, precision, int8, data)
    say(f"Version {metadata.version} in {run / 'model'}, threshold {metadata.threshold:.4g}")
