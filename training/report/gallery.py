"""Images that were answered wrongly and rightly, each beside what the answer rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from model_loader import Transform
from model_loader.transform import Fit, Resize
from training.data.pixels import read_image
from training.errors import TrainingError
from training.evaluation.answers import Answers
from training.models.classifier import Classifier
from training.progress import Advance, progress
from training.report.alignment import Grid, lay_out, measure_grid
from training.report.gradcam import heat_maps
from training.report.pictures import Thumbnail, shrink, thumbnail

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
        picture: The image.
        heat: The same with what speaks for the answer; None where the model keeps no maps.
    """

    file: str
    truth: str
    answer: str
    confidence: float
    picture: Thumbnail
    heat: Thumbnail | None


@dataclass(frozen=True)
class ClassGallery:
    """The images of one class.

    Attributes:
        label: The class.
        n: Number of its images.
        mistakes: Number of those that were answered wrongly.
        wrong: Some of these, those of the highest confidence first.
        right: Some of the others, from the highest confidence to the lowest.
    """

    label: str
    n: int
    mistakes: int
    wrong: tuple[Shown, ...]
    right: tuple[Shown, ...]


def make_gallery(
    model: Classifier, transform: Transform, answers: Answers, temperature: float, root: Path
) -> list[ClassGallery]:
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
    mistakes = np.bincount(truth[guesses != truth], minlength=len(answers.labels))
    shown = _shown_classes(mistakes)
    chosen = {}
    for label in shown:
        own = np.flatnonzero(truth == label)
        order = own[np.argsort(-confidence[own], kind="stable")]
        wrong, right = order[guesses[order] != label], order[guesses[order] == label]
        few = PER_CLASS if len(shown) == len(mistakes) else _FEW
        chosen[label] = (wrong[:PER_CLASS], _spread(right, few))

    grid = measure_grid(model)

    def show(i: int, advance: Advance) -> Shown | None:
        row, guess = answers.rows[i], int(guesses[i])
        advance("")
        try:
            image = read_image(root / row.file)
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

    galleries = []
    steps = sum(len(part) for parts in chosen.values() for part in parts)
    with progress("Drawing heat maps", steps) as advance:
        for label, parts in chosen.items():
            wrong_shown, right_shown = (
                tuple(filter(None, (show(int(i), advance) for i in part))) for part in parts
            )
            n = int((truth == label).sum())
            name = answers.labels[label]
            galleries.append(ClassGallery(name, n, int(mistakes[label]), wrong_shown, right_shown))
    return galleries


def _shown_classes(mistakes: NDArray[np.int64]) -> Sequence[int]:
    if len(mistakes) <= MOST_CLASSES:
        return range(len(mistakes))
    order = np.argsort(-mistakes, kind="stable")[:MOST_CLASSES]
    return [int(label) for label in order]


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
    # What is scaled only is shown as it is: heat on a squashed picture misleads the eye.
    is_scaled = all(isinstance(op, Resize | Fit) for op in transform.image_ops)
    small = shrink(image if is_scaled else transform.resize(image))
    height, width = inputs.shape[2:]
    return thumbnail(overlay(small, lay_out(heat[0], grid, (height, width), small.size[::-1])))


def overlay(picture: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """Return a picture, grey where the heat is 0, and in the heat's colours where it is 1.

    Args:
        picture: RGB.
        heat: 0…1, of the picture's height and width.
    """
    grey = np.asarray(picture.convert("L").convert("RGB"), dtype=np.float32)
    colours = 255 * matplotlib.colormaps[_HEAT](heat)[..., :3]
    alpha = _STRENGTH * np.sqrt(heat)[..., None]
    return Image.fromarray((grey * (1 - alpha) + colours * alpha).astype(np.uint8))
