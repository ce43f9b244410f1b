"""A recipe is checked when it is read; what is wrong is named with the nearest right thing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from model_loader import Metadata, Resize
from training.errors import TrainingError
from training.models.weights import SHIPPED_MODELS
from training.recipe import load_recipe, shipped_recipes


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_valid_and_named_as_its_file(name: str) -> None:
    # The tuned one makes a better version of the same model.
    assert load_recipe(name).name == name.removesuffix("-tuned")
    assert load_recipe(name, ["sizing.size=160"]).size() == 160


def test_document_002s_recipe_is_its_own_chain() -> None:
    recipe = load_recipe("flying-objects")
    assert [op.op for op in recipe.transform().image_ops] == ["resize"]
    assert recipe.transform().to_json()[0] == {"op": "resize", "height": 224, "width": 224}
    for stage in recipe.stages:
        strategy = recipe.strategy(stage)
        assert strategy.train_ops == (Resize(512, 512),)
        assert recipe.augments(stage)
        assert strategy.augmentation(recipe.augment or []).entries == [
            {"op": "random_resized_crop", "size": 224},
            {"op": "cutout"},
            {"op": "horizontal_flip"},
            {"op": "rotate"},
        ]
    assert (recipe.model, recipe.loss) == ("mobilenet_v2", "nll")
    assert {stage.learning_rate for stage in recipe.stages} == {"auto"}


def test_the_shipped_model_was_trained_by_the_tuned_recipe(tmp_path: Path) -> None:
    (written,) = (SHIPPED_MODELS / "flying-objects" / "versions").glob("*/model.json")
    metadata = Metadata.from_json(written.read_bytes())
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(dict(metadata.recipe)), encoding="utf-8")
    trained, tuned = load_recipe(str(path)), load_recipe("flying-objects-tuned")
    assert trained.transform() == tuned.transform() == metadata.transform
    assert trained.name == tuned.name == metadata.name
    for stage, its in zip(trained.stages, tuned.stages, strict=True):
        unseen = {} if stage.augment else {"views": its.views}  # none are made
        assert stage.model_copy(update=unseen) == its
        made = (each.strategy(stage).augmentation(each.augment or []) for each in (trained, tuned))
        assert next(made).entries == next(made).entries


def test_a_shipped_recipe_trains_at_a_lower_resolution_first() -> None:
    recipe = load_recipe("flying-objects-spp")
    assert recipe.sizes[0] < recipe.sizes[-1] == recipe.sizing.size


def test_a_resolved_recipe_is_read_back(tmp_path: Path) -> None:
    recipe = load_recipe("flying-objects", ["batch_size=7"])
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.to_yaml())
    assert load_recipe(str(path)) == recipe
    assert recipe.batch_size == 7


def test_every_value_can_be_overridden() -> None:
    recipe = load_recipe(
        "flying-objects", ["seed=5", "stages.0.epochs=3", "split.test=0.2", "sizing.size=96"]
    )
    assert recipe.seed == 5
    assert recipe.stages[0].epochs == 3
    assert recipe.split.test == 0.2
    assert recipe.transform().to_json()[0] == {"op": "resize", "height": 96, "width": 96}


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("batchsize=3", "unknown key 'batchsize'; did you mean 'batch_size'?"),
        ("stages.0.epoch=3", "unknown key 'stages.0.epoch'; did you mean 'epochs'?"),
        ("split.tests=0.1", "unknown key 'split.tests'; did you mean 'test'?"),
        ("zzz=1", "unknown key 'zzz'; valid keys are name, model"),
        ("batch_size=0", "batch_size: Input should be greater than 1 (it is 0)"),
        ("batch_size=many", "batch_size: "),
        ("stages.0.thaw=most", "stages.0.thaw: must be head, all, or a number of blocks"),
        ("stages.0.thaw=0", "stages.0.thaw: must be head, all, or a number of blocks"),
        ("stages.0.learning_rate=.inf", "stages.0.learning_rate: must be auto, or a number"),
        (
            "reject_below_precision=98",
            "reject_below_precision: Input should be less than or equal to 1",
        ),
        ("seed=5000000000", "seed: Input should be less than 1000000"),
        ("stages=[]", "stages: "),
        ("name=a/b", "name: "),
        ("augment=[{op: sharpen}]", "sharpen"),
        ("augment=[{op: cutout, scael: 1}]", "scael"),
        ("sizing.strategy=stretch", "sizing.strategy: Input should be 'squash', 'pad_crop'"),
        ("normalize.std=[0,1,1]", "std must be above zero"),
        ("normalize.mean=[0,.nan,1]", "normalize.mean.1: "),
        ("model=resnet19", "model: There is no model 'resnet19'"),
        ("stages.0.epochs=true", "stages.0.epochs: must not be true or false"),
        ("augment.1.p=true", "augment: cutout: p must not be true or false"),
        ("augment.0.ratio=[1,.inf]", "augment: random_resized_crop: ratio.1: "),
        ("normalise.std=[1,1,1]", "unknown key 'normalise'; did you mean 'normalize'?"),
        ("batch_size", "write --set KEY=VALUE"),
        ("stages.7.epochs=3", "write --set KEY=VALUE"),
        ("seed.x.y=3", "write --set KEY=VALUE"),
        ("seed=[", "write --set KEY=VALUE"),
    ],
)
def test_a_wrong_override_is_explained(override: str, complaint: str) -> None:
    with pytest.raises(TrainingError) as error:
        load_recipe("flying-objects", [override])
    assert complaint in str(error.value)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    document = load_recipe("flying-objects").model_dump()
    del document["batch_size"]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(TrainingError, match="mine.yaml: the key 'batch_size' is missing"):
        load_recipe(str(path))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [", "\x00"])
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(TrainingError, match="mine.yaml"):
        load_recipe(str(path))


def test_an_unknown_recipe_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no recipe 'flying'. Give one of .*flying-objects"):
        load_recipe("flying")
