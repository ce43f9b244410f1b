"""The command that describes a folder of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import Folder
from training.errors import TrainingError
from training.output.printing import say


def inspect(
    folder: Folder,
    output: Annotated[
        Path | None, typer.Option(help="Write plots (PNG) and inspect.json into this folder.")
    ] = None,
) -> None:
    """Look at a folder of images: how many, how heavy, how large, of what kind, which twice."""
    from training.cleaning.inspect import inspect_table
    from training.cleaning.tables import print_inspection
    from training.data.table import read_folder

    inspection = inspect_table(read_folder(folder))
    print_inspection(inspection)
    if output is None:
        say("Add --output FOLDER for plots and inspect.json.")
        return
    from training.cleaning.plots import draw_plots

    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / "inspect.json").write_text(
            json.dumps(inspection.to_json(), indent=2, ensure_ascii=False) + "\n",
            encoding="utf-8",
            errors="backslashreplace",  # which is JSON's escape of what is no Unicode
        )
        drawn = draw_plots(inspection, output)
    except OSError as error:
        raise TrainingError(f"{output} cannot be written: {error}.") from error
    say(f"inspect.json and {', '.join(path.name for path in drawn)} in {output}")
