"""The command that lists the architectures."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from training.commands.options import AsJson
from training.output.next_step import say_next
from training.output.printing import print_json, print_table
from training.output.progress import say

_BATCH = 4  # images, for the layer table

_CLASSES = {"alexnet": 200}
# Number of classes that a model is counted with by default, where it is not 4.


def models(
    layers: Annotated[
        str | None,
        typer.Option(help="Print the layers of this model.", metavar="NAME"),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(min=1, help="Number of classes.", show_default="4; alexnet 200"),
    ] = None,
    side: Annotated[
        int, typer.Option(min=32, help="Height and width of the images, for --layers.")
    ] = 224,
    as_json: AsJson = False,
) -> None:
    """List the models, or the layers of one.

    Any other of torchvision's classifiers works by its name.

    Example: `python -m training models --layers mobilenet_v2_multiscale`
    """
    if layers is not None:
        _print_layers(layers, _classes(layers, classes), (_BATCH, 3, side, side), as_json)
        return
    from training.models.classifier import MODELS

    rows = [_describe(name, _classes(name, classes)) for name in MODELS]
    if as_json:
        print_json(rows)
        return
    table = Table()
    table.add_column("model", no_wrap=True)
    for heading in ("classes", "parameters", "last layer"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("input", no_wrap=True)
    for row in rows:
        counts = (f"{row[key]:,}" for key in ("classes", "parameters", "trainable"))
        table.add_row(row["model"], *counts, row["input"])
    print_table(table)
    say("Any other of torchvision's classifiers works by its name, resnet18 for example.")
    say_next("models", "--layers", rows[0]["model"])


def _print_layers(name: str, classes: int, shape: tuple[int, int, int, int], as_json: bool) -> None:
    from dataclasses import asdict

    from training.errors import TrainingError
    from training.models.classifier import blueprint
    from training.models.layers import layer_table

    try:
        table = layer_table(blueprint(name, classes), shape)
    except (RuntimeError, AssertionError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TrainingError(
            f"{name} does not take images of {shape[2]} × {shape[3]} pixels: {reason.rstrip('.')}. "
            "Try --side 224."
        ) from error
    if as_json:
        print_json(asdict(table))
    else:
        print(table)


def _describe(name: str, classes: int) -> dict[str, Any]:
    from training.models.classifier import blueprint

    network = blueprint(name, classes)
    return {
        "model": name,
        "classes": classes,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "trainable": sum(parameter.numel() for parameter in network.head.parameters()),
        "input": "3 × ≥32 × ≥32" if network.any_size else "3 × 224 × 224",
    }


def _classes(name: str, classes: int | None) -> int:
    return classes if classes is not None else _CLASSES.get(name, 4)
