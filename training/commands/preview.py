"""The verb that shows what augmentation does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.data.source import DataSource
from training.errors import TrainingError
from training.output.printing import say

if TYPE_CHECKING:
    from training.recipe import Recipe


def preview(
    data: Annotated[
        Path,
        typer.Option(help="Folder with one folder of images for each class.", show_default=False),
    ],
    to: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("preview.png"),
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Show what this recipe's stages see of the training images: the name of a "
            "shipped recipe, or a YAML file.",
            show_default=False,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change the recipe: --set sizing.size=96", metavar="K=V"),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="To try without a recipe, how pictures reach the network: squash, pad_crop or "
            "variable.",
            show_default="squash",
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            help="To try without a recipe: a seed's list (flying-objects, flying-objects-spp, "
            "flying-objects-multiscale, none), or operations as YAML: '[{op: rotate, limit: 15}]'.",
            show_default="flying-objects",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="To try without a recipe, pixels a side of the network's input.",
            show_default="224",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Chooses the images and what is drawn.")] = 0,
) -> None:
    """Write a sheet of augmented images: one line an image, a few images of each class."""
    from training.recipe import load_recipe

    if recipe is None and overrides:
        raise TrainingError("--set changes a recipe: give --recipe NAME as well.")
    if recipe is None:
        _preview_list(data, to, strategy or "squash", augment or "flying-objects", size, seed)
        return
    free = {"--strategy": strategy, "--augment": augment, "--size": size}
    given = [option for option, value in free.items() if value is not None]
    if given:
        raise TrainingError(
            f"--recipe has a strategy, a size and an augmentation of its own: leave out "
            f"{' and '.join(given)}, or change the recipe: --set sizing.strategy=…, "
            "--set sizing.size=…, --set augment=…"
        )
    show_recipe(DataSource(data), load_recipe(recipe, overrides or ()), to, seed)


def _preview_list(
    data: Path, to: Path, strategy: str, augment: str, size: int | None, seed: int
) -> None:
    from training.augment.augmentations import read_augmentations
    from training.augment.contact_sheet import Variant, write_preview
    from training.augment.sizing import get_strategy
    from training.data.table import read_folder

    pixels = 224 if size is None else size
    chosen = get_strategy(strategy, pixels)
    variant = Variant("", chosen, pixels, chosen.augmentation(read_augmentations(augment)))
    table = read_folder(data)
    rows = table.part("train") if table.parts else table.rows
    shown = write_preview(rows, data, [variant], to, seed)
    say(f"{shown} images in {to}. {variant.title}")


def show_recipe(source: DataSource, recipe: Recipe, to: Path, seed: int) -> None:
    """Write the sheet of a recipe, and say what it shows."""
    from training.preview import preview_recipe

    variants, shown = preview_recipe(source, recipe, to, seed)
    say(f"{shown} training images in {to}. {'; '.join(variant.title for variant in variants)}")
