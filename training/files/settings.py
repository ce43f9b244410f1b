"""Settings that people write: strict, changed by ``--set KEY=VALUE``, refused in one sentence."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from training.errors import TrainingError
from training.files.yaml_text import set_value


class Settings(BaseModel):
    """A group of values: read-only, without unknown keys."""

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


def change(document: dict[str, Any], assignments: Iterable[str], example: str) -> None:
    """Apply ``--set KEY=VALUE`` options to a document of mappings and lists.

    Args:
        document: What is changed.
        assignments: Dots and numbers lead into the document: ``stages.0.epochs=3``.
        example: The end of the message on a wrong one, with a key that exists.

    Raises:
        TrainingError: There is no such place, or a value is not YAML.
    """
    for assignment in assignments:
        try:
            set_value(document, assignment)
        except ValueError as error:
            raise TrainingError(
                f"--set {' '.join(assignment.split())[:80]}: write --set KEY=VALUE with {example}."
            ) from error


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Return the first error of a model's validation as a sentence: where, what, how to fix it."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        valid = list(_section(model, first["loc"]).model_fields)
        return f"unknown key {where!r}; {nearest(str(first['loc'][-1]), valid, 'valid keys')}"
    if first["type"] == "missing":
        return f"the key {where!r} is missing."
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not where:  # of the model as a whole; the message names the keys
        return f"{message}."
    shown = "" if first["type"] == "said" else f" (it is {_shown(first['input'])})"
    return f"{where}: {message}{shown}."


def nearest(name: str, valid: Sequence[str], kind: str = "valid") -> str:
    """Return the end of a message on an unknown name: the nearest valid one, or all of them."""
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.4)
    return f"did you mean {close[0]!r}?" if close else f"{kind} are {', '.join(valid)}."


def _section(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel]:
    """Return the model that holds a location: a field's own, or that of a list's members."""
    for key in location[:-1]:
        if isinstance(key, str):
            kind = model.model_fields[key].annotation
            (model,) = (
                each
                for each in (kind, *get_args(kind))
                if isinstance(each, type) and issubclass(each, BaseModel)
            )
    return model


def _shown(value: object) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer of too many digits
        return "a huge number"
