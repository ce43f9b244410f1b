"""The command that describes a folder of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands.options import Folder
from training.errors import TrainingError
from training.output.next_step import say_next
from training.output.progress import say

if TYPE_CHECKING:
    from training.cleaning.inspection import Inspection


def inspect(
    folder: Folder,
    output: Annotated[
        Path | None, typer.Option(help="Folder for plots (PNG) and inspect.json.")
    ] = None,
) -> None:
    """Describe a folder of images: counts, sizes, duplicates.

    File sizes, dimensions, aspect ratios and formats, class by class, and files that are broken.

    Example: `python -m training inspect data/sample --output plots`
    """
    from training.cleaning.inspection import inspect_table
    from training.cleaning.inspection_tables import print_inspection
    from training.data.table import read_folder

    inspection = inspect_table(read_folder(folder))
    print_inspection(inspection)
    if output is None:
        say("Add --output FOLDER for plots and inspect.json.")
    else:
        _write(inspection, output)
    say_next("clean", folder)


def _write(inspection: Inspection, output: Path) -> None:
    from training.cleaning.plots import draw_plots

    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / "inspect.json").write_text(
            json.dumps(inspection.to_json(), indent=2, ensure_ascii=False) + "\n",
            encoding="utf-8",
            errors="backslashreplace",  # a JSON escape of what is not Unicode
        )
        drawn = draw_plots(inspection, output)
    except OSError as error:
        raise TrainingError(f"{output} cannot be written: {error}.") from error
    say(f"inspect.json and {', '.join(path.name for path in drawn)} in {output}")
