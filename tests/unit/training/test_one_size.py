"""One size: what training is fed, what validation is fed, and what the exported transform makes."""

from __future__ import annotations

import itertools

import pytest

from tests.support.images import encode, noise
from training.check import check_network
from training.data.source import DataSource
from training.errors import TrainingError
from training.fitting.stage_images import Images, read_images
from training.recipe import Recipe, Stage, load_recipe, shipped_recipes

TWO_STAGES = "stages=[{thaw: head, epochs: 1, learning_rate: 0.1%s}, %s]"
LAST = "{thaw: all, epochs: 1, learning_rate: 0.1}"
PICTURES = [(60, 40), (200, 130), (31, 300), (96, 96), (5, 7), (140, 500)]
"""Widths and heights."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Two classes of images of many sizes, read and split."""
    root = tmp_path_factory.mktemp("data")
    for label, (number, size) in itertools.product("ab", enumerate(PICTURES * 2)):
        (root / label).mkdir(exist_ok=True)
        (root / label / f"{number}.png").write_bytes(encode(noise(*size, number), "PNG"))
    return read_images(DataSource(root), load_recipe("flying-objects-head"))


def shapes(
    images: Images, recipe: Recipe, stage: Stage
) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return, image by image, the shapes that a stage sees and those that its transform makes."""
    material, transform = images.material(recipe, stage), recipe.transform(stage)
    found = set()
    for part, rows in (
        (material.training, images.split.train),
        (material.plain, images.split.train),
        (material.validation, images.split.validation),
    ):
        for number, row in enumerate(rows):
            file = (images.table.root / row.file).read_bytes()
            wanted = tuple(map(int, transform(transform.decode(file)).shape))
            found.add((tuple(part[number][0].shape), wanted))
    return found


@pytest.mark.parametrize("first", [None, 96, 200])
@pytest.mark.parametrize("size", [64, 225])
@pytest.mark.parametrize("name", [*shipped_recipes(), "resnet18"])
def test_a_stage_is_trained_and_validated_at_its_size_and_the_last_at_the_exported_one(
    images: Images, name: str, size: int, first: int | None
) -> None:
    stages = TWO_STAGES % ("" if first is None else f", size: {first}", LAST)
    changes = [f"sizing.size={size}", stages]
    if name == "resnet18":
        recipe = load_recipe("flying-objects", [*changes, "model=resnet18"])
    else:
        recipe = load_recipe(name, changes)
    check_network(recipe)
    assert recipe.sizes == (first or size, size)
    assert recipe.transform(recipe.stages[-1]) == recipe.transform()
    for stage, side in zip(recipe.stages, recipe.sizes, strict=True):
        for seen, wanted in shapes(images, recipe, stage):
            assert seen == wanted
            if recipe.sizing.strategy == "variable":
                assert seen[1] * seen[2] <= side * side
            else:
                assert seen == (3, side, side)


CROP = "augment=[{op: random_crop, size: 96}]"


@pytest.mark.parametrize(
    ("recipe", "changes", "complaint"),
    [
        ("flying-objects", [CROP], "augment and sizing.size: random_crop makes images of 96 × 96"),
        (
            "flying-objects",
            [CROP, "sizing.size=96", "stages.0.size=64"],
            "augment and stages.0.size: random_crop makes images of 96 × 96 .* makes 64 × 64",
        ),
        (
            "flying-objects",
            ["augment=[{op: random_crop}, {op: resize, height: 224, width: 200}]"],
            "augment and sizing.size: resize makes images of 224 × 200 pixels",
        ),
        (
            "flying-objects",
            ["augment=[{op: random_crop, size: 600, pad_if_needed: false}, {op: random_crop}]"],
            "random_crop cannot cut 600 × 600 pixels from 512 × 512; leave pad_if_needed out",
        ),
        ("flying-objects", ["stages.1.size=160"], "stages.1.size is 160, .* sizing.size, 224"),
        ("flying-objects-head", ["stages.0.size=160"], "stages.0.size is 160, .* sizing.size, 224"),
        ("flying-objects-spp", ["stages.1.size=160"], "stages.1.size is 160, .* sizing.size, 288"),
        (
            "flying-objects-spp",
            ["augment=[{op: random_resized_crop}]"],
            "augment and stages.0.size: random_resized_crop makes images of one size",
        ),
        (
            "flying-objects-spp",
            ["augment.2={op: random_rotate90, keep_shape: false}"],
            "random_rotate90 swaps the height and width of images",
        ),
    ],
)
def test_sizes_that_contradict_each_other_are_refused_by_their_keys(
    recipe: str, changes: list[str], complaint: str
) -> None:
    with pytest.raises(TrainingError, match=complaint):
        load_recipe(recipe, changes)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([CROP, "sizing.size=96"], id="a size that is written out"),
        pytest.param(["augment=[{op: resize, height: 9, width: 9}, {op: random_crop}]"], id="two"),
        pytest.param(
            [CROP, "sizing.size=96", "stages.0.augment=false", "stages.0.size=64"],
            id="in a stage that does not augment",
        ),
    ],
)
def test_sizes_that_agree_are_taken(changes: list[str]) -> None:
    assert load_recipe("flying-objects", changes).augment


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (["model=alexnet", "sizing.size=32"], "model and sizing.size: alexnet .* 32 × 32 pixels"),
        (["model=vit_b_16", "stages.0.size=160"], "model and stages.0.size: vit_b_16 .* 160 × 160"),
        (["model=inception_v3", "sizing.size=64"], "inception_v3 does not take images of 64 × 64"),
        (
            ["model=alexnet", "sizing.strategy=variable", "augment=null"],
            "alexnet does not take images of 32 × 32 pixels, which sizing.strategy variable makes",
        ),
    ],
)
def test_a_network_that_does_not_take_a_stages_images_is_refused_before_any_is_read(
    changes: list[str], complaint: str
) -> None:
    with pytest.raises(TrainingError, match=complaint):
        check_network(load_recipe("flying-objects", changes))
