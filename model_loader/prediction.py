"""The answer to one picture, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

UNKNOWN = "unknown"
"""The label of a picture whose confidence lies below the version's threshold."""


@dataclass(frozen=True)
class Timings:
    """Milliseconds that the steps of one classification took, by the clock it was given.

    Attributes:
        decode: From the file's bytes to an upright RGB picture, no larger than the transform needs.
        transform: To the network's input.
        inference: To the probabilities.
    """

    decode: float
    transform: float
    inference: float

    @property
    def total(self) -> float:
        """All three, in milliseconds."""
        return self.decode + self.transform + self.inference


@dataclass(frozen=True)
class Prediction:
    """The answer to one picture. Two are equal where they say the same, however long they took.

    Attributes:
        label: The most probable class, or "unknown" where ``confidence`` is below the threshold.
        confidence: The probability of the most probable class, 0…1.
        scores: The probability of each class, in index order; they sum to 1.
        pixels: Of the file, which may be decoded smaller; None where no file was decoded.
        timings: None where no file was decoded.
    """

    label: str
    confidence: float
    scores: Mapping[str, float]
    pixels: int | None = field(default=None, compare=False)
    timings: Timings | None = field(default=None, compare=False)
