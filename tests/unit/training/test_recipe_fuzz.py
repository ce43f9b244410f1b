"""A recipe or a --set of any content is valid, or one sentence says what is wrong with it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from training.augment.augmentations import OPERATIONS
from training.errors import TrainingError
from training.files.yaml_text import read_yaml
from training.recipe import Recipe, load_recipe

pytestmark = pytest.mark.fuzz

TEXT = Path("training/recipes/flying-objects-tuned.yaml").read_text(encoding="utf-8")
KEYS = [
    "name", "model", "seed", "split", "split.test", "sizing", "sizing.size", "sizing.strategy",
    "normalize.mean", "normalize.std.0", "augment", "augment.0", "augment.0.size",
    "augment.1.scale", "augment.3.limit", "batch_size", "optimizer", "loss", "label_smoothing",
    "class_weights", "weight_averaging", "reject_below_precision", "int8", "stages", "stages.0",
    "stages.0.thaw", "stages.0.epochs", "stages.0.learning_rate", "stages.1.size",
    "stages.1.views", "stages.-1", "stages.9", "x", "", ".", "stages.x", "seed.y",
]  # fmt: skip
SPECIAL = [
    "true", "null", "~", "-1", "0", "1e400", ".nan", ".inf", "-.inf", "1e-3", "9" * 5000,
    "0x" + "f" * 5000, "1:2:3", "2001-13-45", "!!timestamp x", "!!int ''", "!!float ''", "!!bool x",
    "!!binary x", "!!set {a, b}", "!!python/name:os.system", "{[a]: b}", "{1: 2}", "[" * 400,
    "&a [*a]", "*a", "a: b: c", "\t", "\x00", "\ud800", "\ufeff1", "{a: 1, a: 2}", "'" * 99,
    "[{op: rotate, limit: true}]", "[{op: [x]}]", "[{1: 2}]", "[[1]]", "{op: rotate}",
    "[{op: random_resized_crop, ratio: [1, .inf]}]", "[1.0, .nan, 2]", "[1e300, 1, 1]",
    "[{op: rotate, 1: 2, x: 3}]", "[{op: rotate, ? [a] : 2}]", "[{op: hue_saturation, hue: 1e99}]",
    "[{op: resize, height: 1e3, width: '9'}]",
]  # fmt: skip
BOMBS = [
    "a: &a [x, x]\n" + "\n".join(f"b{n}: &{c} [{', '.join(['*' + p] * 9)}]"
    for n, (p, c) in enumerate(zip("abcdefghi", "bcdefghij", strict=True))),
    "a: &a {x: 1}\n" + "\n".join(f"b{n}: &{c} {{<<: [{', '.join(['*' + p] * 9)}], y{n}: 1}}"
    for n, (p, c) in enumerate(zip("abcdefghi", "bcdefghij", strict=True))),
    "name: " + "x" * 200_000,
    "stages: &s [*s]",
]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(SCALARS | st.sampled_from(["op", "size", "thaw"]), inner, max_size=4)
        | st.fixed_dictionaries({"op": st.sampled_from([*OPERATIONS])}, optional={"p": inner})
    ),
    max_leaves=8,
)
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def outcome(recipe: str, overrides: list[str]) -> Recipe | str:
    """Return the recipe, or the sentence that refuses it; every other exception is a failure."""
    try:
        found = load_recipe(recipe, overrides)
    except TrainingError as error:
        said = str(error)
        assert said.endswith((".", "?")), said
        assert "\n" not in said.rstrip()
        assert len(said) < 1500 + 2 * sum(map(len, overrides))
        return said
    assert Recipe.model_validate(yaml.safe_load(found.to_yaml())) == found
    return found


@given(st.binary(max_size=300))
@example("name: größe".encode("latin-1"))
@example("\ufeffname: x".encode())
@example("name: x".encode("utf-16"))
@example(b"name:\tx\n\tmodel: y")
@example(b"--- 1\n--- 2")
@example(BOMBS[0].encode())
@example(BOMBS[1].encode())
@example(BOMBS[2].encode())
@example(BOMBS[3].encode())
@quick
def test_any_bytes_are_a_recipe_or_are_refused_by_the_file_s_name(
    tmp_path: Path, text: bytes
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(text)
    found = outcome(str(path), [])
    assert isinstance(found, str)
    assert "mine.yaml" in found


@given(st.integers(0, len(TEXT)), st.integers(0, 12), st.binary(max_size=6))
@quick
def test_a_recipe_that_was_damaged_anywhere_is_read_or_refused(
    tmp_path: Path, place: int, length: int, patch: bytes
) -> None:
    data = TEXT.encode()
    (tmp_path / "mine.yaml").write_bytes(data[:place] + patch + data[place + length :])
    outcome(str(tmp_path / "mine.yaml"), [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_recipe_is_read_as_editors_save_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(TEXT.replace("\n", "\r\n").encode(encoding))
    assert load_recipe(str(path)) == load_recipe("flying-objects-tuned")


@given(st.sampled_from(KEYS), VALUES.map(lambda value: yaml.safe_dump(value).removesuffix("...\n")))
def test_any_value_of_any_key_is_taken_or_explained(key: str, value: str) -> None:
    found = outcome("flying-objects-tuned", [f"{key}={value}"])
    if isinstance(found, str):
        assert key.partition(".")[0] in found


@pytest.mark.parametrize("value", SPECIAL, ids=lambda value: ascii(value)[:24])
def test_a_value_that_is_none_is_taken_or_explained(value: str) -> None:
    for key in KEYS:
        found = outcome("flying-objects-tuned", [f"{key}={value}"])
        if isinstance(found, str):
            assert key.partition(".")[0] in found


@given(st.text(max_size=60))
def test_any_text_behind_set_is_taken_or_explained(text: str) -> None:
    assert outcome("flying-objects", [text])


def test_a_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT + "batch_size: 64\n", encoding="utf-8")
    with pytest.raises(
        TrainingError, match="mine.yaml cannot be read: the key 'batch_size' stands"
    ):
        load_recipe(str(path))


def test_a_change_to_what_an_alias_repeats_changes_one_place(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    stages = "stages: [&s {thaw: head, epochs: 5, learning_rate: 1e-3}, *s, {<<: *s, epochs: 7}]\n"
    path.write_text(TEXT.partition("stages:")[0] + stages, encoding="utf-8")
    found = load_recipe(str(path), ["stages.0.epochs=3"])
    assert [stage.epochs for stage in found.stages] == [3, 5, 7]
    assert {stage.learning_rate for stage in found.stages} == {0.001}


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_reading_yaml_fails_in_one_way(text: str | bytes) -> None:
    with suppress(ValueError):
        read_yaml(text)
