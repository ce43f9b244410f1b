"""Images that were answered wrongly and rightly, each with its heat map."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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


class Shown(NamedTuple):
    """One image with its answer."""

    file: str  # path below the data folder
    truth: str
    answer: str
    confidence: float  # 0…1
    image: Thumbnail
    heat: Thumbnail | None  # None where the model keeps no maps


@dataclass(frozen=True)
class ClassGallery:
    """The wrong or the right answers to the images of one class."""

    label: str
    n: int  # images of the class
    count: int  # answers of this kind
    shown: tuple[Shown, ...]  # some of them, the highest confidence first


class Galleries(NamedTuple):
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
        temperature: Temperature of the version.
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
    totals = np.bincount(truth, minlength=len(answers.labels))

    def show(i: int) -> Shown | None:
        row, guess = answers.rows[i], int(guesses[i])
        try:
            image = read_image(root / row.file, transform.image_ops)
        except TrainingError:  # it has gone since it was answered
            return None
        heat = _heat_thumbnail(model, transform, image, guess, grid)
        given = answers.labels[guess]
        return Shown(row.file, row.label, given, float(confidence[i]), thumbnail(image), heat)

    def gallery(label: int, count: int, some: list[int]) -> ClassGallery:
        shown = []
        for i in some:
            shown.append(show(i))
            advance("")
        found = tuple(one for one in shown if one is not None)
        return ClassGallery(answers.labels[label], int(totals[label]), count, found)

    images = sum(len(some) for part in chosen.values() for *_, some in part)
    with progress("Drawing heat maps", images) as advance:
        return Galleries(*(tuple(gallery(*one) for one in part) for part in chosen.values()))


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
