"""The sections of a recipe: split, sizing, channels and stages."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import Field, field_validator

from training.files.settings import Settings

MOST = 100_000
"""Epochs, or images in a batch: a larger count is a typing error."""

_HIGHEST_RATE = 1000
_LEAST_DEVIATION = 0.001
_Level = Annotated[float, Ge(-255), Le(255)]


class SplitFractions(Settings):
    """The fractions of the images for validation and test; the rest trains."""

    validation: float = Field(gt=0, le=0.4)
    test: float = Field(gt=0, le=0.4)


class Sizing(Settings):
    """The way in which images of any size reach the network.

    Attributes:
        strategy: ``squash``, ``pad_crop`` or ``variable``; see ``training.augment.sizing``.
        size: The side of the network's input in pixels; of ``variable``, the square root of the
            largest area.
    """

    strategy: Literal["squash", "pad_crop", "variable"]
    size: int = Field(default=224, ge=32, le=1792)


class Channels(Settings):
    """Mean and standard deviation of each channel; ImageNet's by default."""

    mean: tuple[_Level, _Level, _Level] = (0.485, 0.456, 0.406)
    std: tuple[_Level, _Level, _Level] = (0.229, 0.224, 0.225)

    @field_validator("std")
    @classmethod
    def _divides(cls, std: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(std) < _LEAST_DEVIATION:
            raise ValueError(f"std must be above zero, at least {_LEAST_DEVIATION:g}")
        return std


class Stage(Settings):
    """One stage of training, with its own optimizer and schedule.

    Attributes:
        thaw: The layers to train: ``head`` (the last layer), an integer n (the last n blocks and
            everything after), or ``all``.
        epochs: Passes over the training images.
        learning_rate: The highest of the schedule; ``auto`` finds it by a range test.
        weight_decay: The optimizer's.
        schedule: ``one_cycle``, ``cosine`` or ``constant``.
        keep_statistics: Whether BatchNorm keeps its means and variances in thawed layers too:
            better if images are few, or the weights were converted.
        augment: Whether the recipe's augmentation applies in this stage.
        size: Replaces the recipe's, for training at a lower resolution first; the last stage has
            the recipe's.
        views: Number of augmented views of an image that are computed ahead while layers are
            frozen, for the first epochs; then comes the plain image, and the views again. None is
            one for each epoch, up to eight; 0 computes them in each epoch. Without augmentation
            any number but 0 means 1.
    """

    thaw: Literal["head", "all"] | int
    epochs: int = Field(gt=0, le=MOST)
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
        if thaw in ("head", "all") or (isinstance(thaw, int) and 0 < thaw <= MOST):
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
        """The trained layers, in words."""
        return f"last {self.thaw} blocks" if isinstance(self.thaw, int) else self.thaw


def _number(value: object) -> float | None:
    """Return a number, also one that YAML takes for text, such as 1e-3; None for others."""
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
