"""What the stages of a recipe see of the training images, as a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.data.preview import Look, write_preview
from training.data.source import DataSource
from training.material import read_table
from training.recipe import Recipe, Stage


def preview_recipe(
    source: DataSource, recipe: Recipe, path: Path, seed: int
) -> tuple[Sequence[Look], int]:
    """Write a sheet of training images as the stages of a recipe see them.

    Returns:
        The looks that are shown, and the number of images.

    Raises:
        TrainingError: The data will not do, or the file cannot be written.
    """
    table, split = read_table(source, recipe)
    looks = recipe_looks(recipe)
    return looks, write_preview(split.train, table.root, looks, path, seed)


def recipe_looks(recipe: Recipe) -> list[Look]:
    """Return what the stages that augment see; where none does, what all of them see.

    Stages of one size see the same, and share a look.
    """
    augmenting = {n: stage for n, stage in enumerate(recipe.stages, 1) if recipe.augments(stage)}
    shown = augmenting or dict(enumerate(recipe.stages, 1))
    by_size: dict[int, list[int]] = {}
    for number, stage in shown.items():
        by_size.setdefault(recipe.size(stage), []).append(number)
    return [_look(recipe, shown[numbers[0]], numbers) for numbers in by_size.values()]


def _look(recipe: Recipe, stage: Stage, numbers: Sequence[int]) -> Look:
    strategy = recipe.strategy(stage)
    entries = recipe.augment or []
    augmentation = strategy.augmentation(entries) if recipe.augments(stage) else None
    who = f"{recipe.name}, stage{'s'[: len(numbers) > 1]} {_joined(numbers)}"
    return Look(who, strategy, recipe.size(stage), augmentation)


def _joined(numbers: Sequence[int]) -> str:
    *others, last = map(str, numbers)
    return f"{', '.join(others)} and {last}" if others else last
