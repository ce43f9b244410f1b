"""The command that looks for a learning rate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from training.commands.options import (
    RECIPE,
    Cache,
    DataFolder,
    Groups,
    Overrides,
    RecipeName,
    SplitFile,
    Weights,
)
from training.data.source import DataSource
from training.errors import TrainingError, interruptible
from training.output.next_step import as_options, say_next
from training.output.printing import print_table
from training.output.progress import say

_EVERY = 8


def lr_find(
    data: DataFolder,
    recipe: RecipeName = RECIPE,
    weights: Weights = "imagenet",
    groups: Groups = None,
    split: SplitFile = None,
    stage: Annotated[int, typer.Option(min=1, help="Number of the stage.")] = 1,
    output: Annotated[
        Path | None, typer.Option(help="CSV for the curve.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    cache: Cache = None,
) -> None:
    """Try learning rates for a stage, and suggest one.

    They are tried on the initial weights.

    Example: `python -m training lr-find --data data/sample --stage 2`
    """
    from training.start import check_places, check_recipe

    source = DataSource(data, groups, split)
    chosen = check_recipe(recipe, overrides, weights, check_places(source, None, cache))
    if stage > len(chosen.stages):
        raise TrainingError(f"The recipe {chosen.name} has {len(chosen.stages)} stages.")
    from training.train import find_rate

    with interruptible("Interrupted: a range test keeps nothing. Try again."):
        found = find_rate(source, chosen, weights, stage - 1, cache)
    table = Table("learning rate", "loss", title=f"Range test of stage {stage}")
    for rate, loss in list(zip(found.rates, found.losses, strict=True))[::_EVERY]:
        table.add_row(f"{rate:.2g}", f"{loss:.4f}")
    print_table(table)
    if output is not None:
        found.write(output)
    if found.suggestion is None:
        raise TrainingError(
            "There is no suggestion: the loss falls at none of these rates. Look at the data and "
            "the weights, or choose a rate by hand."
        )
    rate_of_stage = f"stages.{stage - 1}.learning_rate={found.suggestion:.2g}"
    say(f"Suggestion: --set {rate_of_stage}")
    same = as_options(data=data, groups=groups, split=split, recipe=recipe, weights=weights)
    say_next("train", *same, *as_options(overrides=[*(overrides or []), rate_of_stage]))
