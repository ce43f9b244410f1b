"""What several processes compare before they train: what decides the weights, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fitting_material import LABELS
from training.data.source import DataSource
from training.fitting.checkpoint import Progress
from training.fitting.hardware import Hardware
from training.fitting.process_group import ProcessGroup
from training.fitting.run_images import RunImages, check_processes, read_images
from training.recipe import Recipe, load_recipe

RECIPE = load_recipe("flying-objects-head", ["sizing.size=32"])


def compared(
    monkeypatch: pytest.MonkeyPatch, images: RunImages, recipe: Recipe = RECIPE, stage: int = 0
) -> dict[str, str]:
    """Return what one process tells the others."""
    told: dict[str, str] = {}
    monkeypatch.setattr(
        ProcessGroup, "check_same", lambda _, name, value: told.update({name: value})
    )
    first = images.stage_data(recipe, recipe.stages[0])
    check_processes(Hardware("cpu"), recipe, images, first, Progress(LABELS, stage))
    return told


def test_the_same_images_and_recipe_are_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (read_images(DataSource(root), RECIPE) for _ in range(2))
    # The first process alone looks at the test images, and may find one that is damaged.
    one.skips.add(one.split.test[0].file, "is damaged")
    assert compared(monkeypatch, one) == compared(monkeypatch, other)


def test_whatever_decides_the_weights_makes_a_difference(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = read_images(DataSource(root), RECIPE)
    told = compared(monkeypatch, images)

    def differing(**changes: object) -> set[str]:
        found = compared(monkeypatch, **{"images": images, **changes})  # type: ignore[arg-type]
        return {name for name in told if found[name] != told[name]}

    assert differing(recipe=load_recipe("flying-objects-head", ["sizing.size=33"])) == {"recipe"}
    assert differing(stage=1) == {"epochs"}
    skipping = read_images(DataSource(root), RECIPE)
    skipping.skips.add(skipping.split.train[0].file, "cannot be read here")
    assert differing(images=skipping) == {"images"}
    file = root / images.split.validation[0].file
    file.write_bytes((root / images.split.train[0].file).read_bytes())
    assert differing(images=read_images(DataSource(root), RECIPE)) == {"images"}
