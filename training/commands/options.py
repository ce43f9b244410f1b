"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RECIPE = "flying-objects-tuned"
"""The recipe of a run that names none."""

Folder = Annotated[
    Path,
    typer.Argument(
        help="A folder that holds one folder for each class, or is split into such folders "
        "(train/, val/, test/) already."
    ),
]
DataFolder = Annotated[
    Path, typer.Option(help="Folder with one folder of images for each class.", show_default=False)
]
RecipeName = Annotated[str, typer.Option(help="Name of a shipped recipe, or a YAML file.")]
Weights = Annotated[
    str,
    typer.Option(
        help="Where to start from: imagenet (a download), flying-objects (comes with the project), "
        "none (random), or the path of a state dict."
    ),
]
Groups = Annotated[
    Path | None,
    typer.Option(help="CSV with 'file' and 'group': a group is never split.", show_default=False),
]
SplitFile = Annotated[
    Path | None,
    typer.Option("--split", help="CSV that the verb split wrote.", show_default=False),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change the recipe: --set stages.0.epochs=3", metavar="K=V"),
]
Cache = Annotated[
    str | None,
    typer.Option(
        help="Where decoded pictures are kept for later runs; none keeps them in memory.",
        metavar="DIR",
        show_default="runs/.pixels, or beside the run",
    ),
]
Precision = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Answer 'unknown' when in doubt, so that this fraction of the other answers is right.",
        show_default=False,
    ),
]
MovedData = Annotated[
    Path | None,
    typer.Option("--data", help="Where the images lie now, if they moved.", show_default=False),
]
Engine = Annotated[str, typer.Option(help="What runs the network: torchscript or onnx.")]
Address = Annotated[
    str, typer.Argument(metavar="STORE/NAME", help="A model's address, as publish printed it.")
]
