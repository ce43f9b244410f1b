"""A loaded version of a model, and its answer to an image."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from model_loader.engine import Network
from model_loader.image import EncodedImage
from model_loader.metadata import Metadata

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNKNOWN = "unknown"
"""The label of an image whose confidence is below the version's threshold."""


@dataclass(frozen=True)
class Timings:
    """Milliseconds that the steps of one classification took, by the clock it was given.

    Attributes:
        decode: From the file's bytes to an upright RGB image, no larger than the transform needs.
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
    """The answer to one image; two are equal where they say the same, however long they took.

    Attributes:
        label: The most probable class, or "unknown" where ``confidence`` is below the threshold.
        confidence: The probability of the most probable class, 0…1.
        scores: The probability of each class, in index order; they sum to 1.
        pixels: Pixels of the file, which may be decoded smaller; None where no file was decoded.
        timings: None where no file was decoded.
    """

    label: str
    confidence: float
    scores: Mapping[str, float]
    pixels: int | None = field(default=None, compare=False)
    timings: Timings | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Model:
    """One version, ready to answer; safe to share between threads.

    Attributes:
        metadata: The contents of the version's ``model.json``.
        engine: The name of the engine that runs it.
        network: From images, float32 [B, 3, H, W], to logits, float32 [B, classes].
    """

    metadata: Metadata
    engine: str
    network: Network

    def prepare(self, data: bytes) -> NDArray[np.float32]:
        """Decode an image file and apply the test transform: float32 [3, H, W], normalised.

        Raises:
            InputError: The bytes cannot be decoded; see ``EncodedImage``.
        """
        return self.metadata.transform.prepare(data)

    def probabilities(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Run the network on prepared images of equal size.

        Args:
            images: float32 [B, 3, H, W], normalised.

        Returns:
            float64 [B, classes]; each row sums to 1.
        """
        return softmax(self.network(images), self.metadata.temperature)

    def label(self, probabilities: NDArray[np.float64]) -> Prediction:
        """Name the class of one row of ``probabilities``, [classes]."""
        best = int(probabilities.argmax())
        confidence = float(probabilities[best])
        known = confidence >= self.metadata.threshold
        labels = self.metadata.labels
        return Prediction(
            label=labels[best] if known else UNKNOWN,
            confidence=confidence,
            scores=dict(zip(labels, probabilities.tolist(), strict=True)),
        )

    def classify(
        self, image: bytes | EncodedImage, clock: Callable[[], float] = time.perf_counter
    ) -> Prediction:
        """Answer one image file.

        Args:
            image: A whole file, or one whose header has been read.
            clock: What the answer's timings are read from, in seconds.

        Raises:
            InputError: The bytes cannot be decoded; see ``EncodedImage``.
        """
        transform = self.metadata.transform
        begin = clock()
        encoded = image if isinstance(image, EncodedImage) else EncodedImage.read(image)
        decoded = encoded.decode(transform.needed_size(*encoded.size))
        decoded_at = clock()
        prepared = transform(decoded)
        prepared_at = clock()
        probabilities = self.probabilities(prepared[None])[0]
        end = clock()
        return replace(
            self.label(probabilities),
            pixels=math.prod(encoded.size),
            timings=Timings(
                decode=1000 * (decoded_at - begin),
                transform=1000 * (prepared_at - decoded_at),
                inference=1000 * (end - prepared_at),
            ),
        )

    def classify_decoded(self, image: Image.Image) -> Prediction:
        """Answer an RGB image that is decoded already, such as a frame of a video."""
        return self.label(self.probabilities(self.metadata.transform(image)[None])[0])


def softmax(
    logits: NDArray[np.float32] | NDArray[np.float64], temperature: float
) -> NDArray[np.float64]:
    """Return the probabilities of logits, [B, classes] each, after dividing by a temperature."""
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result
