"""The command that draws a sample data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.errors import TrainingError
from training.output.next_step import say_next
from training.output.progress import say


def sample_data(
    folder: Annotated[Path, typer.Argument(help="New or empty folder.")],
    per_class: Annotated[int, typer.Option(min=1, help="Images of each class.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same images.")] = 0,
) -> None:
    """Draw a small labelled data set of birds and drones.

    Example: `python -m training sample-data data/sample`
    """
    from samples.draw import CLASSES, draw_sample_data
    from training.output.progress import progress

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TrainingError(f"{folder} exists already. Give a new or empty folder.")
    try:
        (folder / CLASSES[0]).mkdir(parents=True)  # of two processes at once, one succeeds
    except FileExistsError as error:
        raise TrainingError(f"{folder} exists already. Give a new or empty folder.") from error
    with progress("Drawing", per_class * len(CLASSES)) as advance:
        draw_sample_data(folder, per_class, seed, on_image=lambda: advance(""))
    say(f"{per_class * len(CLASSES)} images of {len(CLASSES)} classes in {folder}")
    say_next("inspect", folder)
