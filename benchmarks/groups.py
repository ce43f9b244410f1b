"""Which modules measure what. Each has `rows(options) -> Iterator[Row]`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from benchmarks.rows import Options, Row

GROUPS: dict[str, tuple[str, ...]] = {
    "serving": (
        "cold",
        "warm",
        "overhead",
        "memory",
        "agreement",
        "dollars",
        "floor",
        "scaling",
        "predict_memory",
    ),
    "training": ("fine_tuning", "looking", "many"),
}
"""Module names by group, in the order of the results; dollars follow what they are made of."""


def measured_rows(module: str, options: Options) -> Iterator[Row]:
    """Measure the rows of one module, importing it only now."""
    rows: Iterator[Row] = import_module(f"benchmarks.{module}").rows(options)
    yield from rows
