"""A recipe: everything that decides how a model is trained, in one YAML file."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, Le
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from model_loader import Normalize, Transform
from training.augment.augmentations import Augmentation
from training.augment.sizing import Strategy, get_strategy
from training.errors import TrainingError
from training.files.yaml_text import LARGEST, read_yaml, set_value
from training.models.classifier import backbone

SHIPPED = Path(__file__).parent / "recipes"
"""The folder of the recipes that come with the project."""


_HIGHEST_RATE = 1000
_MOST = 100_000
# Of epochs, or of images in a batch: beyond it a count is a slip of the keyboard.

Optimizers = Literal["adamw", "adam", "sgd"]
_LEAST_DEVIATION = 0.001
_Level = Annotated[float, Ge(-255), Le(255)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_no_switches(cls, value: object, field: ValidationInfo) -> object:
        """Refuse true and false where pydantic would take them for 1 and 0."""
        values = value if isinstance(value, list) else [value]
        kind = cls.model_fields[str(field.field_name)].annotation
        if kind is not bool and any(isinstance(each, bool) for each in values):
            raise ValueError("must not be true or false")
        return value


class SplitFractions(_Strict):
    """Which fraction of the images validates and tests; the rest trains."""

    validation: float = Field(gt=0, le=0.4)
    test: float = Field(gt=0, le=0.4)


class Sizing(_Strict):
    """How pictures of any size reach the network.

    Attributes:
        strategy: ``squash``, ``pad_crop`` or ``variable``; see ``training.augment.sizing``.
        size: The side of the network's input in pixels; of ``variable``, the square root of the
            largest area.
    """

    strategy: Literal["squash", "pad_crop", "variable"]
    size: int = Field(default=224, ge=32, le=1792)


class Channels(_Strict):
    """What pixels are normalised by; ImageNet's unless told otherwise."""

    mean: tuple[_Level, _Level, _Level] = (0.485, 0.456, 0.406)
    std: tuple[_Level, _Level, _Level] = (0.229, 0.224, 0.225)

    @field_validator("std")
    @classmethod
    def _divides(cls, std: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(std) < _LEAST_DEVIATION:
            raise ValueError(f"std must be above zero, at least {_LEAST_DEVIATION:g}")
        return std


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
        size: In place of the recipe's, for training at a lower resolution first; the last stage has
            the recipe's.
        views: How many augmented views of an image are computed ahead while layers are frozen, for
            the first epochs; then the plain image takes a turn, and the views come again. None is
            one for each epoch, up to eight; 0 computes them anew in each epoch. Without
            augmentation any number but 0 stands for 1.
    """

    thaw: Literal["head", "all"] | int
    epochs: int = Field(gt=0, le=_MOST)
    learning_rate: Literal["auto"] | float
    weight_decay: float = Field(default=0.0, ge=0, le=1000)
    schedule: Literal["one_cycle", "cosine", "constant"] = "one_cycle"
    keep_statistics: bool = False
    augment: bool = True
    size: int | None = Field(default=None, ge=32, le=1792)
    views: int | None = Field(default=None, ge=0, le=1000)

    @field_validator("thaw", mode="before")
    @classmethod
    def _known_thaw(cls, thaw: object) -> object:
        if thaw in ("head", "all") or (isinstance(thaw, int) and 0 < thaw <= _MOST):
            return thaw
        raise ValueError("must be head, all, or a number of blocks")

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _known_rate(cls, rate: object) -> object:
        if rate == "auto":
            return rate
        number = _number(rate)
        if number is not None and 0 < number <= _HIGHEST_RATE:
            return number
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
            strategy; see ``training.augment.augmentations``. A crop without a size makes that
            of the stage. None changes nothing and does not crop.
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
    batch_size: int = Field(gt=1, le=_MOST)
    optimizer: Optimizers = "adamw"
    loss: Literal["cross_entropy", "nll"] = "cross_entropy"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: bool = False
    weight_averaging: float | None = Field(default=None, gt=0, lt=1)
    reject_below_precision: float | None = Field(default=None, gt=0, le=1)
    int8: bool = False
    stages: list[Stage] = Field(min_length=1)

    @field_validator("model")
    @classmethod
    def _known_model(cls, model: str) -> str:
        with _saying():
            backbone(model)
        return model

    @field_validator("augment")
    @classmethod
    def _known_operations(cls, entries: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        with _saying():
            Augmentation(entries or [])
        return entries

    @model_validator(mode="after")
    def _one_size(self) -> Recipe:
        """Check that images are trained on, validated and served at one size, stage by stage."""
        for number, stage in enumerate(self.stages):
            if self.augments(stage):
                key = "sizing.size" if stage.size is None else f"stages.{number}.size"
                with _saying(f"augment and {key}: "):
                    self.strategy(stage).augmentation(self.augment or [])
        last = len(self.stages) - 1
        if self.sizes[last] != self.sizing.size:
            raise ValueError(
                f"stages.{last}.size is {self.sizes[last]}, but the exported model takes images of "
                f"sizing.size, {self.sizing.size}: leave it out of the last stage"
            )
        return self

    def augments(self, stage: Stage) -> bool:
        """Whether the training images of a stage are augmented."""
        return self.augment is not None and stage.augment

    def size(self, stage: Stage | None = None) -> int:
        """Return the size of pictures: in a stage, or in the test."""
        return self.sizing.size if stage is None or stage.size is None else stage.size

    @property
    def sizes(self) -> tuple[int, ...]:
        """The size of pictures in each stage; the last one's is the test's."""
        return tuple(map(self.size, self.stages))

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


@contextmanager
def _saying(where: str = "") -> Iterator[None]:
    """Let pydantic report a TrainingError in its own words, behind the place that it is about."""
    try:
        yield
    except TrainingError as error:
        said = str(error).removeprefix("augmentation: ")
        raise PydanticCustomError("said", "{said}", {"said": f"{where}{said}"}) from error


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
        with path.open("rb") as file:
            document = read_yaml(file.read(LARGEST + 1))
    except FileNotFoundError as error:
        raise TrainingError(
            f"There is no recipe {recipe!r}. Give one of {', '.join(shipped_recipes())}, or the "
            "path of a YAML file."
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise TrainingError(f"The recipe {path} cannot be read: {reason}.") from error
    if not isinstance(document, dict):
        raise TrainingError(f"The recipe {path} must hold keys and values.")
    for override in overrides:
        try:
            set_value(document, override)
        except ValueError as error:
            raise TrainingError(
                f"--set {' '.join(override.split())[:80]}: write --set KEY=VALUE with a key of the "
                "recipe, for example --set stages.0.epochs=3."
            ) from error
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise TrainingError(f"The recipe {path}: {_explain(error)}") from error


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
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not where:  # of the recipe as a whole; the message names the keys
        return f"{message}."
    shown = "" if first["type"] == "said" else f" (it is {_shown(first['input'])})"
    return f"{where}: {message}{shown}."


def _shown(value: object) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer of too many digits
        return "a huge number"


def _number(value: object) -> float | None:
    """Return a number, also one that YAML takes for text, such as 1e-3; None for others."""
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None


def _valid_keys(location: tuple[int | str, ...]) -> list[str]:
    sections: Mapping[object, type[BaseModel]] = {
        "split": SplitFractions,
        "sizing": Sizing,
        "normalize": Channels,
        "stages": Stage,
    }
    section = sections[location[0]] if len(location) > 1 else Recipe
    return list(section.model_fields)
