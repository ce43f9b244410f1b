"""The command that shows the training images as a recipe's stages see them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import RECIPE, DataFolder, Overrides, RecipeName, SplitFile
from training.output.next_step import as_options, say_next
from training.output.progress import say


def preview(
    data: DataFolder,
    recipe: RecipeName = RECIPE,
    split: SplitFile = None,
    overrides: Overrides = None,
    to: Annotated[Path, typer.Option(help="PNG to write.")] = Path("preview.png"),
) -> None:
    """Draw training images as the stages of a recipe see them.

    Sized and augmented: two images of each class, a row each. `--set seed=1` chooses other images.

    Example: `python -m training preview --data data/sample --set sizing.size=96`

    Another augmentation: `--set 'augment=[{op: rotate, limit: 15}]'`
    """
    from training.data.source import DataSource
    from training.recipe import load_recipe
    from training.recipe_preview import preview_recipe

    chosen = load_recipe(recipe, overrides or ())
    variants, shown = preview_recipe(DataSource(data, split=split), chosen, to, chosen.seed)
    say(f"{shown} training images in {to}. {'; '.join(variant.title for variant in variants)}")
    same = as_options(data=data, split=split, recipe=recipe, overrides=overrides)
    say_next("train", *same)
