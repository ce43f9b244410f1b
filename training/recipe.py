"""A recipe: everything that decides how a model is trained, in one YAML file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from model_loader import Normalize, Transform
from training.data.strategies import Strategy, get_strategy
from training.errors import TrainingError

SHIPPED = Path(__file__).parent / "recipes"
"""The folder of the recipes that come with the project."""


_HIGHEST_RATE = 1000

Optimizers = Literal["adamw", "adam", "sgd"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitFractions(_Strict):
    """Which fraction of the images validates and tests; the rest trains."""

    validation: float = Field(gt=0, le=0.4)
    test: float = Field(gt=0, le=0.4)


class Sizing(_Strict):
    """How pictures of any size reach the network.

    Attributes:
        strategy: ``squash``, ``pad_crop`` or ``variable``; see ``training.data.strategies``.
        size: The side of the network's input in pixels; of ``variable``, the square root of the
            largest area.
    """

    strategy: Literal["squash", "pad_crop", "variable"]
    size: int = Field(default=224, ge=32, le=1792)


class Channels(_Strict):
    """What pixels are normalised by; ImageNet's unless told otherwise."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class Stage(_Strict):
    """One stage of training, with an optimizer and a schedule of its own.

    Attributes:
        thaw: What is trained: the ``head`` (the last layer), a number (the last so many blocks
            and what follows them), or ``all``.
        epochs: Passes over the training images.
        learning_rate: The highest of the schedule; ``auto`` finds it by a range test.
        weight_decay: The optimizer's.
        schedule: ``one_cycle``, ``cosine`` or ``constant``.
        keep_statistics: Whether BatchNorm keeps the means and variances that it came with also in
            thawed layers: better where images are few, or the weights were converted.
        augment: Whether the recipe's augmentation counts in this stage.
        size: In place of the recipe's, for training at a lower resolution first.
        views: How many augmented views of an image are computed ahead while layers are frozen, for
            the first epochs; then the plain image takes a turn, and the views come again. None is
            one for each epoch, up to eight; 0 computes them anew in each epoch. Without
            augmentation any number but 0 stands for 1.
    """

    thaw: Literal["head", "all"] | int
    epochs: int = Field(gt=0)
    learning_rate: Literal["auto"] | float
    weight_decay: float = Field(default=0.0, ge=0, le=1000)
    schedule: Literal["one_cycle", "cosine", "constant"] = "one_cycle"
    keep_statistics: bool = False
    augment: bool = True
    size: int | None = Field(default=None, ge=32, le=1792)
    views: int | None = Field(default=None, ge=0)

    @field_validator("thaw", mode="before")
    @classmethod
    def _known_thaw(cls, thaw: object) -> object:
        if thaw in ("head", "all") or (isinstance(thaw, int) and thaw > 0):
            return thaw
        raise ValueError("must be head, all, or a number of blocks")

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _known_rate(cls, rate: object) -> object:
        if rate == "auto" or (isinstance(rate, int | float) and 0 < rate <= _HIGHEST_RATE):
            return rate
        raise ValueError(f"must be auto, or a number above 0 and up to {_HIGHEST_RATE}")

    @property
    def name(self) -> str:
        """What is trained, in words."""
        return f"last {self.thaw} blocks" if isinstance(self.thaw, int) else self.thaw


class Recipe(_Strict):
    """A whole recipe.

    Attributes:
        name: The published model's name, and the folder of its runs.
        model: The architecture; see ``training.models``.
        seed: Of the split, the initial weights and the order of the images.
        split: The fractions of validation and test.
        sizing: How pictures are brought to the network's size.
        normalize: Mean and standard deviation of each channel, in R, G, B order, of 0…1.
        augment: Random changes of the training images, after the random crop of the sizing
            strategy; see ``training.data.augment``. None changes nothing and does not crop.
        batch_size: Images in one step, of all processes together; BatchNorm needs two.
        optimizer: ``adamw``, ``adam`` or ``sgd`` (momentum 0.9).
        loss: ``cross_entropy``, or ``nll``: log-softmax and negative log-likelihood, its equal.
        label_smoothing: The share of a label that is spread over all classes.
        class_weights: Whether rare classes weigh more in the loss, so that all weigh the same.
        weight_averaging: The decay of an exponential moving average of the weights, which is what
            each epoch measures, a stage hands to the next, and is exported; None for the weights
            of the last step.
        reject_below_precision: The fraction of right answers that the exported version shall
            reach by answering "unknown" when in doubt; None answers always.
        int8: Whether the ONNX file is made of eight-bit numbers where that costs at most half a
            point of accuracy on the validation images.
        stages: In order.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    model: str
    seed: int = Field(ge=0, lt=1_000_000)
    split: SplitFractions
    sizing: Sizing
    normalize: Channels = Channels()
    augment: list[dict[str, Any]] | None = None
    batch_size: int = Field(gt=1)
    optimizer: Optimizers = "adamw"
    loss: Literal["cross_entropy", "nll"] = "cross_entropy"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: bool = False
    weight_averaging: float | None = Field(default=None, gt=0, lt=1)
    reject_below_precision: float | None = Field(default=None, gt=0, le=1)
    int8: bool = False
    stages: list[Stage] = Field(min_length=1)

    @model_validator(mode="after")
    def _known_operations(self) -> Recipe:
        try:
            for stage in self.stages:
                self.strategy(stage).augmentation(self.augment or [])
            self.transform()
        except (TrainingError, ValueError) as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    def augments(self, stage: Stage) -> bool:
        """Whether the training images of a stage are augmented."""
        return self.augment is not None and stage.augment

    def size(self, stage: Stage | None = None) -> int:
        """Return the size of pictures: in a stage, or in the test."""
        return self.sizing.size if stage is None or stage.size is None else stage.size

    @property
    def epochs(self) -> int:
        """The number of epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    def strategy(self, stage: Stage | None = None) -> Strategy:
        """Return how pictures are sized: in a stage, or in the test."""
        return get_strategy(self.sizing.strategy, self.size(stage))

    def transform(self, stage: Stage | None = None) -> Transform:
        """Return the test transform; that of a stage has the stage's size."""
        normalize = Normalize(self.normalize.mean, self.normalize.std)
        return self.strategy(stage).transform(normalize)

    def to_yaml(self) -> str:
        """Return the text that ``load_recipe`` takes."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


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
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
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
            in_list = isinstance(target, list)
            target = target[int(key)] if in_list else target.setdefault(key, {})
        value = yaml.safe_load(text)
        if not equals:
            raise KeyError(dotted)
        if isinstance(target, list):
            target[int(last)] = value
        else:
            target[last] = value
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
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
    sections: Mapping[object, type[BaseModel]] = {
        "split": SplitFractions,
        "sizing": Sizing,
        "normalize": Channels,
        "stages": Stage,
    }
    section = sections[location[0]] if len(location) > 1 else Recipe
    return list(section.model_fields)
