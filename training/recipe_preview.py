"""A contact sheet of training images as the stages of a recipe see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from training.augment.contact_sheet import Variant, write_preview
from training.data.source import DataSource
from training.fitting.run_images import read_table
from training.recipe import Recipe
from training.recipe_sections import Stage


def preview_recipe(
    source: DataSource, recipe: Recipe, path: Path, seed: int
) -> tuple[Sequence[Variant], int]:
    """Write a sheet of training images as the stages of a recipe see them.

    Returns:
        What is shown, and the number of images.

    Raises:
        TrainingError: The data will not do, or the file cannot be written.
    """
    table, split = read_table(source, recipe)
    variants = recipe_variants(recipe)
    return variants, write_preview(split.train, table.root, variants, path, seed)


def recipe_variants(recipe: Recipe) -> list[Variant]:
    """Return what the stages see, one variant for each size of images.

    Of stages of one size those that augment are shown; where none does, all of them, which see the
    same.
    """
    by_size: dict[int, dict[int, Stage]] = {}
    for number, stage in enumerate(recipe.stages, 1):
        by_size.setdefault(recipe.size(stage), {})[number] = stage
    shown = []
    for stages in by_size.values():
        augmenting = {n: stage for n, stage in stages.items() if recipe.augments(stage)}
        shown.append(augmenting or stages)
    return [_variant(recipe, stages) for stages in sorted(shown, key=min)]


def _variant(recipe: Recipe, stages: Mapping[int, Stage]) -> Variant:
    stage, *_ = stages.values()
    strategy = recipe.strategy(stage)
    entries = recipe.augment or []
    augmentation = strategy.augmentation(entries) if recipe.augments(stage) else None
    who = f"{recipe.name}, stage{'s'[: len(stages) > 1]} {_joined([*stages])}"
    return Variant(who, strategy, recipe.size(stage), augmentation)


def _joined(numbers: Sequence[int]) -> str:
    *others, last = map(str, numbers)
    return f"{', '.join(others)} and {last}" if others else last
