"""Images that were answered wrongly and rightly, each beside what the answer rests on."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from model_loader import Transform
from model_loader.operations import Fit, Resize
from training.errors import TrainingError
from training.evaluation.answers import Answers
from training.models.classifier import Classifier
from training.output.progress import progress
from training.pixels.dataset import read_image
from training.report.alignment import Grid, lay_out, measure_grid
from training.report.gradcam import heat_maps
from training.report.thumbnails import Thumbnail, shrink, thumbnail

PER_CLASS = 10
"""Images of each class, wrong ones and right ones, at most."""

MOST_CLASSES = 12
"""Classes that are shown; of more, those of most mistakes."""

_FEW = 4
"""Right ones of each class where not all classes are shown."""

_HEAT = "turbo"
_STRENGTH = 0.65


@dataclass(frozen=True)
class Shown:
    """One image.

    Attributes:
        file: Its path below the data folder.
        truth: Its class.
        answer: What it was answered with.
        confidence: Of the answer, 0…1.
        image: The image.
        heat: The same with what speaks for the answer; None where the model keeps no maps.
    """

    file: str
    truth: str
    answer: str
    confidence: float
    image: Thumbnail
    heat: Thumbnail | None


@dataclass(frozen=True)
class ClassGallery:
    """The wrong or the right answers to the images of one class.

    Attributes:
        label: The class.
        n: Number of its images.
        count: Number of these answers.
        shown: Some of them, those of the highest confidence first.
    """

    label: str
    n: int
    count: int
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Galleries:
    """All that is shown; of many classes, those of most mistakes."""

    wrong: tuple[ClassGallery, ...]
    right: tuple[ClassGallery, ...]


def make_galleries(
    model: Classifier, transform: Transform, answers: Answers, temperature: float, root: Path
) -> Galleries:
    """Choose images and draw the heat maps of their answers.

    Args:
        model: In eval mode.
        transform: The test transform.
        answers: To the test images.
        temperature: Of the version.
        root: The data folder.
    """
    probabilities = answers.probabilities(temperature)
    guesses, confidence, truth = probabilities.argmax(1), probabilities.max(1), answers.truth
    is_wrong = guesses != truth
    classes = _most_mistakes_first(truth, is_wrong, len(answers.labels))
    few = PER_CLASS if len(classes) <= MOST_CLASSES else _FEW
    chosen: dict[bool, list[tuple[int, int, list[int]]]] = {True: [], False: []}
    for wrong, label in itertools.product(chosen, classes):
        own = np.flatnonzero((truth == label) & (is_wrong == wrong))
        order = own[np.argsort(-confidence[own], kind="stable")]
        some = order[:PER_CLASS] if wrong else _spread(order, few)
        if len(own) and len(chosen[wrong]) < MOST_CLASSES:
            chosen[wrong].append((label, len(own), some.tolist()))
    grid = measure_grid(model)

    def show(i: int) -> Shown | None:
        row, guess = answers.rows[i], int(guesses[i])
        try:
            image = read_image(root / row.file, transform.image_ops)
        except TrainingError:  # it has gone since it was answered
            return None
        return Shown(
            row.file,
            row.label,
            answers.labels[guess],
            float(confidence[i]),
            thumbnail(image),
            _heat_thumbnail(model, transform, image, guess, grid),
        )

    drawn = _draw([i for part in chosen.values() for *_, some in part for i in some], show)
    totals = np.bincount(truth, minlength=len(answers.labels))
    wrong_ones, right_ones = (
        tuple(
            ClassGallery(
                answers.labels[label],
                int(totals[label]),
                count,
                tuple(one for i in some if (one := drawn[i]) is not None),
            )
            for label, count, some in part
        )
        for part in chosen.values()
    )
    return Galleries(wrong_ones, right_ones)


def _draw(images: list[int], show: Callable[[int], Shown | None]) -> dict[int, Shown | None]:
    drawn = {}
    with progress("Drawing heat maps", len(images)) as advance:
        for i in images:
            drawn[i] = show(i)
            advance("")
    return drawn


def _most_mistakes_first(
    truth: NDArray[np.int64], is_wrong: NDArray[np.bool_], classes: int
) -> list[int]:
    """Return all classes, in index order where all can be shown."""
    if classes <= MOST_CLASSES:
        return list(range(classes))
    mistakes = np.bincount(truth[is_wrong], minlength=classes)
    return [int(label) for label in np.argsort(-mistakes, kind="stable")]


def _spread(order: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return ``count`` of them at equal distances, the first and the last among them."""
    if len(order) <= count:
        return order
    return order[np.linspace(0, len(order) - 1, count).round().astype(np.int64)]


def _heat_thumbnail(
    model: Classifier, transform: Transform, image: Image.Image, label: int, grid: Grid | None
) -> Thumbnail | None:
    """Lay an answer's heat over what the network saw, in the image's own proportions."""
    inputs = torch.from_numpy(transform(image))[None]
    heat = heat_maps(model, inputs, torch.tensor([label]))
    if heat is None:
        return None
    # What is scaled only is shown as it is: heat on a squashed image misleads the eye.
    is_scaled = all(isinstance(op, Resize | Fit) for op in transform.image_ops)
    small = shrink(image if is_scaled else transform.resize(image))
    height, width = inputs.shape[2:]
    return thumbnail(overlay(small, lay_out(heat[0], grid, (height, width), small.size[::-1])))


def overlay(image: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """Return an image, grey where the heat is 0, and in the heat's colours where it is 1.

    Args:
        image: RGB.
        heat: 0…1, of the image's height and width.
    """
    grey = np.asarray(image.convert("L").convert("RGB"), dtype=np.float32)
    colours = 255 * matplotlib.colormaps[_HEAT](heat)[..., :3]
    alpha = _STRENGTH * np.sqrt(heat)[..., None]
    return Image.fromarray((grey * (1 - alpha) + colours * alpha).astype(np.uint8))
