"""A contact sheet of a few images of each class and their augmented versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from model_loader.operations import apply_ops
from training.augment.augmentations import Augmentation
from training.augment.sizing import Strategy
from training.data.contents import Skips
from training.data.table import LabelledImage
from training.errors import TrainingError
from training.files.atomic import replacing
from training.output.fonts import fitted
from training.output.terminal import short
from training.pixels.decoding import read_image

VERSIONS = 6
"""Augmented versions of each image."""

PER_CLASS = 2
"""Images of each class."""

MOST_CLASSES = 12
"""Classes that are shown; the first ones."""

_CELL, _GAP, _MARGIN, _LINE = 176, 6, 18, 22
_LONGEST = 60  # characters of a class name
_PAPER, _INK, _FAINT, _MAT = (255, 255, 255), (32, 32, 36), (120, 120, 128), (238, 238, 241)


@dataclass(frozen=True)
class Variant:
    """One way in which images reach the network.

    Attributes:
        who: Recipe and stage for the title, or ''.
        strategy: Sizing strategy.
        size: Size of the strategy, in pixels.
        augmentation: Augmentation of training; None for the test transform alone.
    """

    who: str
    strategy: Strategy
    size: int
    augmentation: Augmentation | None

    @property
    def title(self) -> str:
        """The steps in words."""
        sized = f"{self.strategy.name}, {self.size} px"
        steps = [entry["op"] for entry in self.augmentation.entries] if self.augmentation else []
        done = f"{sized}, then {', '.join(steps)}" if steps else f"{sized}, no augmentation"
        return f"{self.who}: {done}" if self.who else done


def write_preview(
    rows: Sequence[LabelledImage], root: Path, variants: Sequence[Variant], path: Path, seed: int
) -> int:
    """Write a PNG with a line for each image: the original, the test's view, augmented versions.

    Args:
        rows: The images to choose from; unusable ones are skipped.
        root: The data folder.
        variants: Shown for the same images, one below the other.
        path: The PNG.
        seed: Random seed of the choice and of the augmentation.

    Returns:
        The number of images shown.

    Raises:
        TrainingError: No image can be used, or the file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise TrainingError(f"The preview {path} must end in .png, which is what is written.")
    lines = preview_lines(rows, root, variants, seed)
    sheet: list[_Text | list[Image.Image]] = []
    for variant, of_variant in groupby(lines, lambda line: line.variant):
        seen = ("at test time", "augmented") if variant.augmentation else ("training and test",)
        sheet += [_Text((variant.title,), 20, _INK), _Text(("original", *seen), 13, _FAINT)]
        for label, of_label in groupby(of_variant, lambda line: line.label):
            sheet.append(_Text((short(label, _LONGEST),), 17, _INK))
            sheet += [[_cell(image) for image in line.images] for line in of_label]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            _draw(sheet).save(partial, "PNG")
    except OSError as error:
        raise TrainingError(f"The preview {path} cannot be written: {error.strerror}.") from error
    return len(lines) // len(variants)


class PreviewLine(NamedTuple):
    """One image as the network sees it."""

    variant: Variant
    label: str
    images: list[Image.Image]  # original, after the test transform, ``VERSIONS`` augmented ones


def preview_lines(
    rows: Sequence[LabelledImage], root: Path, variants: Sequence[Variant], seed: int
) -> list[PreviewLine]:
    """Return what ``write_preview`` draws, grouped by variant and class.

    Raises:
        TrainingError: No image can be used.
    """
    chosen = _choose(rows, root, seed)
    lines = []
    with torch.random.fork_rng(devices=[]):
        for variant in variants:
            torch.default_generator.manual_seed(seed)
            lines += [
                PreviewLine(variant, row.label, _views(variant, image)) for row, image in chosen
            ]
    return lines


def _choose(
    rows: Sequence[LabelledImage], root: Path, seed: int
) -> list[tuple[LabelledImage, Image.Image]]:
    skips = Skips(len(rows))
    chosen = []
    random = np.random.default_rng(seed)
    for label in sorted({row.label for row in rows})[:MOST_CLASSES]:
        own = [row for row in rows if row.label == label]
        found = 0
        for number in random.permutation(len(own)):
            if found == PER_CLASS:
                break
            try:
                chosen.append((own[number], read_image(root / own[number].file)))
                found += 1
            except TrainingError as error:
                skips.add(own[number].file, str(error))
    if not chosen:
        raise TrainingError(f"None of the {len(rows)} images below {root} can be shown.")
    return chosen


def _views(variant: Variant, image: Image.Image) -> list[Image.Image]:
    views = [image, apply_ops(variant.strategy.test_ops, image)]
    if variant.augmentation:
        start = _planes(apply_ops(variant.strategy.train_ops, image))
        views += [_image(variant.augmentation(start.clone())) for _ in range(VERSIONS)]
    return views


def _planes(image: Image.Image) -> Tensor:
    """Return an image as augmentation takes it: uint8 [3, H, W]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _image(planes: Tensor) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(planes.permute(1, 2, 0).numpy()))


class _Text(NamedTuple):
    texts: tuple[str, ...]  # one for each column, from the left
    size: int
    colour: tuple[int, int, int]


def _draw(lines: list[_Text | list[Image.Image]]) -> Image.Image:
    step = _CELL + _GAP
    columns = max(len(line) for line in lines if not isinstance(line, _Text))
    titles = [fitted(line.texts[0], line.size) for line in lines if isinstance(line, _Text)]
    longest = max(ceil(font.getlength(text)) for text, font in titles)
    heights = [_LINE + _GAP * 2 if isinstance(line, _Text) else step for line in lines]
    width = _MARGIN * 2 + max(columns * step - _GAP, longest)
    sheet = Image.new("RGB", (width, _MARGIN * 2 + sum(heights)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    top = _MARGIN
    for line, height in zip(lines, heights, strict=True):
        if isinstance(line, _Text):
            for number, text in enumerate(line.texts):
                written, font = fitted(text, line.size)
                draw.text((_MARGIN + step * number, top + _GAP), written, line.colour, font)
        else:
            for number, image in enumerate(line):
                sheet.paste(image, (_MARGIN + step * number, top))
        top += height
    return sheet


def _cell(image: Image.Image) -> Image.Image:
    """Return an image scaled down into a cell, on a grey that black borders stand out from."""
    image = image.copy()
    image.thumbnail((_CELL, _CELL), Image.Resampling.LANCZOS)
    cell = Image.new("RGB", (_CELL, _CELL), _MAT)
    cell.paste(image, ((_CELL - image.width) // 2, (_CELL - image.height) // 2))
    return cell
