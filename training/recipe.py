"""A recipe: everything that decides how a model is trained, in one YAML file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from model_loader import Normalize, Transform
from training.augment.augmentations import Augmentation
from training.augment.sizing import Strategy, get_strategy
from training.errors import TrainingError
from training.files.settings import Settings, change, explain
from training.files.yaml_text import LARGEST, read_yaml
from training.models.classifier import backbone
from training.recipe_sections import MOST, Channels, Sizing, SplitFractions, Stage

Optimizers = Literal["adamw", "adam", "sgd"]

_SHIPPED = Path(__file__).parent / "recipes"
# The folder of the recipes that come with the project.


class Recipe(Settings):
    """A whole recipe.

    Attributes:
        name: The published model's name, and the folder of its runs.
        model: The architecture; see ``training.models``.
        seed: Seeds the split, the initial weights and the order of the images.
        split: The fractions of validation and test.
        sizing: The way in which images are brought to the network's size.
        normalize: Mean and standard deviation of each channel, in R, G, B order, of 0…1.
        augment: Random changes of the training images, after the random crop of the sizing
            strategy; see ``training.augment.augmentations``. A crop without a size makes that
            of the stage. None changes nothing and does not crop.
        batch_size: Images in one step, of all processes together; BatchNorm needs two.
        optimizer: ``adamw``, ``adam`` or ``sgd`` (momentum 0.9).
        loss: ``cross_entropy``, or ``nll``: log-softmax and negative log-likelihood, its equal.
        label_smoothing: The share of a label that is spread over all classes.
        class_weights: Whether rare classes weigh more in the loss, so that all weigh the same.
        weight_averaging: The decay of an exponential moving average of the weights, which is
            measured, handed to the next stage and exported; None for the weights of the last step.
        reject_below_precision: The fraction of right answers that the exported version shall
            reach by answering "unknown" when in doubt; None always answers.
        int8: Whether the ONNX file becomes int8, if that costs at most half a point of accuracy on
            the validation images.
        stages: In order.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    model: str
    seed: int = Field(ge=0, lt=1_000_000)
    split: SplitFractions
    sizing: Sizing
    normalize: Channels = Channels()
    augment: list[dict[str, Any]] | None = None
    batch_size: int = Field(gt=1, le=MOST)
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
        """Return the size of images: in a stage, or in the test."""
        return self.sizing.size if stage is None or stage.size is None else stage.size

    @property
    def sizes(self) -> tuple[int, ...]:
        """The size of images in each stage; the last one's is the test's."""
        return tuple(map(self.size, self.stages))

    @property
    def epochs(self) -> int:
        """The number of epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    def strategy(self, stage: Stage | None = None) -> Strategy:
        """Return how images are sized: in a stage, or in the test."""
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
    """Let pydantic report a TrainingError in its own words, after its place."""
    try:
        yield
    except TrainingError as error:
        said = str(error).removeprefix("augmentation: ")
        raise PydanticCustomError("said", "{said}", {"said": f"{where}{said}"}) from error


def shipped_recipes() -> list[str]:
    """Return the names of the recipes that come with the project."""
    return sorted(path.stem for path in _SHIPPED.glob("*.yaml"))


def load_recipe(recipe: str, overrides: Iterable[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        recipe: The name of a shipped one, or the path of a YAML file.
        overrides: ``key=value`` each; dots and numbers lead into it: ``stages.0.epochs=3``.

    Raises:
        TrainingError: There is no such recipe, a key is unknown or missing, or a value is wrong.
    """
    path = _SHIPPED / f"{recipe}.yaml" if recipe in shipped_recipes() else Path(recipe)
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
    change(document, overrides, "a key of the recipe, for example --set stages.0.epochs=3")
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise TrainingError(f"The recipe {path}: {explain(error, Recipe)}") from error
