"""A recipe: everything that decides how a model is trained, in one YAML file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from model_loader import ModelUnavailableError, Transform
from training.errors import TrainingError

SHIPPED = Path(__file__).parent / "recipes"
"""The folder of the recipes that come with the project."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitFractions(_Strict):
    """Which fraction of the images validates and tests; the rest trains."""

    validation: float = Field(gt=0, le=0.4)
    test: float = Field(gt=0, le=0.4)


class Stage(_Strict):
    """One stage of training.

    Attributes:
        thaw: What is trained: the ``head`` on a frozen backbone, or ``all`` layers.
        epochs: Passes over the training images.
        learning_rate: The peak of a one-cycle schedule.
        weight_decay: AdamW's.
    """

    thaw: Literal["head", "all"]
    epochs: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)


class Recipe(_Strict):
    """A whole recipe.

    Attributes:
        name: The published model's name, and the folder of its runs.
        model: The architecture; see ``training.models``.
        seed: Of the split, the initial weights and the order of the images.
        split: The fractions of validation and test.
        transform: The test transform, as in ``model.json``.
        batch_size: Images in one step.
        class_weights: Whether rare classes weigh more in the loss, so that all weigh the same.
        stages: In order.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    model: str
    seed: int = Field(ge=0)
    split: SplitFractions
    transform: list[dict[str, Any]]
    batch_size: int = Field(gt=0)
    class_weights: bool
    stages: list[Stage] = Field(min_length=1)

    @field_validator("transform")
    @classmethod
    def _known_operations(cls, ops: list[dict[str, Any]]) -> list[dict[str, Any]]:
        try:
            Transform.from_json(ops)
        except ModelUnavailableError as error:
            raise ValueError(str(error)) from error
        return ops

    def to_yaml(self) -> str:
        """Return the text that ``load_recipe`` takes."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True)


def shipped_recipes() -> list[str]:
    """Return the names of the recipes that come with the project."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load_recipe(recipe: str, overrides: Iterable[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        recipe: The name of a shipped one, or the path of a YAML file.
        overrides: ``key=value`` each; dots and numbers lead into it: ``stages.0.epochs=3``.

    Raises:
        TrainingError: There is no such recipe, a key is unknown or missing, or a value is wrong.
    """
    path = SHIPPED / f"{recipe}.yaml" if recipe in shipped_recipes() else Path(recipe)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(
            f"There is no recipe {recipe!r}. Give one of {', '.join(shipped_recipes())}, or the "
            "path of a YAML file."
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise TrainingError(f"The recipe {path} cannot be read: {reason}.") from error
    if not isinstance(document, dict):
        raise TrainingError(f"The recipe {path} must hold keys and values.")
    for override in overrides:
        _override(document, override)
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise TrainingError(f"The recipe {path}: {_explain(error)}") from error


def _override(document: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    *parents, last = dotted.split(".")
    target: Any = document
    try:
        for key in parents:
            target = target[int(key)] if isinstance(target, list) else target[key]
        value = yaml.safe_load(text)
        if not equals:
            raise KeyError(dotted)
        if isinstance(target, list):
            target[int(last)] = value
        else:
            target[last] = value
    except (KeyError, IndexError, TypeError, ValueError, yaml.YAMLError) as error:
        raise TrainingError(
            f"--set {override}: write --set KEY=VALUE with a key of the recipe, for example "
            "--set stages.0.epochs=3."
        ) from error


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        valid = _valid_keys(first["loc"])
        key = str(first["loc"][-1])
        close = difflib.get_close_matches(key, valid, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}?" if close else f"valid keys are {', '.join(valid)}."
        return f"unknown key {where!r}; {hint}"
    if first["type"] == "missing":
        return f"the key {where!r} is missing."
    return f"{where}: {first['msg'].removeprefix('Value error, ')} (it is {first['input']!r})."


def _valid_keys(location: tuple[int | str, ...]) -> list[str]:
    sections: Mapping[object, type[BaseModel]] = {"split": SplitFractions, "stages": Stage}
    section = sections[location[0]] if len(location) > 1 else Recipe
    return list(section.model_fields)
