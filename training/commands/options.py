"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RECIPE = "flying-objects-tuned"
"""The recipe of a command that is given none."""

Folder = Annotated[
    Path,
    typer.Argument(
        help="Folder with one folder of images for each class, or with train/, val/ and test/ "
        "that hold such folders."
    ),
]
Run = Annotated[Path, typer.Argument(help="Folder of a run.")]
DataFolder = Annotated[
    Path, typer.Option(help="Folder with one folder of images for each class.", show_default=False)
]
MovedData = Annotated[
    Path | None,
    typer.Option("--data", help="Where the images are now, if they moved.", show_default=False),
]
RecipeName = Annotated[str, typer.Option(help="Name of a shipped recipe, or a YAML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Change a value of the recipe: --set stages.0.epochs=3", metavar="KEY=VALUE"
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        help="Initial weights: imagenet (a download), flying-objects (shipped), none (random), or "
        "the path of a state dict."
    ),
]
Groups = Annotated[
    Path | None,
    typer.Option(
        help="CSV with columns file, group: a group is never split over two parts.",
        show_default=False,
    ),
]
SplitFile = Annotated[
    Path | None,
    typer.Option("--split", help="CSV that the command split wrote.", show_default=False),
]
Cache = Annotated[
    str | None,
    typer.Option(
        help="Where decoded images are kept for later runs; none: in a temporary folder.",
        metavar="DIR",
        show_default="runs/.pixels, or beside the run",
    ),
]
TargetPrecision = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Answer 'unknown' when in doubt, so that this share of the other answers is right.",
        show_default=False,
    ),
]
Address = Annotated[
    str, typer.Argument(metavar="STORE/NAME", help="Address of a model, as publish printed it.")
]
MODEL_HELP = "A run's folder, or the address of a model or version, as in MODEL_URI."
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
