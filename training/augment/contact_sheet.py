"""A contact sheet: what augmentation makes of a few images of each class."""

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
        who: What sees it, for the title: ``my-recipe, stage 2``; '' where nothing does.
        strategy: How images are sized.
        size: The strategy's, in pixels.
        augmentation: What training draws at each access; None for the test's view alone.
    """

    who: str
    strategy: Strategy
    size: int
    augmentation: Augmentation | None

    @property
    def title(self) -> str:
        """What is done, in words."""
        sized = f"{self.strategy.name}, {self.size} px"
        steps = [entry["op"] for entry in self.augmentation.entries] if self.augmentation else []
        done = f"{sized}, then {', '.join(steps)}" if steps else f"{sized}, no augmentation"
        return f"{self.who}: {done}" if self.who else done


def write_preview(
    rows: Sequence[LabelledImage],
    root: Path,
    variants: Sequence[Variant],
    path: Path,
    seed: int,
) -> int:
    """Write a PNG with a line for each image: the original, the test's view, augmented versions.

    Args:
        rows: The images to choose from; an image that cannot be used is passed over.
        root: The data folder.
        variants: What is shown of the same images, one below the other.
        path: The PNG.
        seed: Chooses the images, and what the augmentation draws.

    Returns:
        The number of images shown.

    Raises:
        TrainingError: No image can be used, or the file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise TrainingError(f"The preview {path} must end in .png, which is what is written.")
    lines = preview_lines(rows, root, variants, seed)
    sheet = _Sheet()
    for variant, of_one in groupby(lines, lambda line: line.variant):
        seen = ("at test time", "augmented") if variant.augmentation else ("training and test",)
        sheet.title(variant.title, ("original", *seen))
        for label, of_label in groupby(of_one, lambda line: line.label):
            sheet.heading(short(label, _LONGEST))
            for line in of_label:
                sheet.line(line.images)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            sheet.draw().save(partial, "PNG")
    except OSError as error:
        raise TrainingError(f"The preview {path} cannot be written: {error.strerror}.") from error
    return len(lines) // len(variants)


@dataclass(frozen=True)
class PreviewLine:
    """One image, and what becomes of it.

    Attributes:
        variant: The way in which it is seen.
        label: Its class.
        images: The original, the test's view, and ``VERSIONS`` augmented ones if there are any.
    """

    variant: Variant
    label: str
    images: list[Image.Image]


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


class _Sheet:
    """Lines of text and of images, drawn when all of them are known."""

    def __init__(self) -> None:
        self._lines: list[_Text | list[Image.Image]] = []

    def title(self, text: str, columns: Sequence[str]) -> None:
        self._lines += [_Text((text,), 20, _INK), _Text(tuple(columns), 13, _FAINT)]

    def heading(self, text: str) -> None:
        self._lines.append(_Text((text,), 17, _INK))

    def line(self, images: list[Image.Image]) -> None:
        self._lines.append([_cell(image) for image in images])

    def draw(self) -> Image.Image:
        step = _CELL + _GAP
        heights = [_LINE + _GAP * 2 if isinstance(x, _Text) else step for x in self._lines]
        sheet = Image.new("RGB", (self._width(), _MARGIN * 2 + sum(heights)), _PAPER)
        draw = ImageDraw.Draw(sheet)
        top = _MARGIN
        for line, height in zip(self._lines, heights, strict=True):
            if isinstance(line, _Text):
                for number, text in enumerate(line.texts):
                    written, font = fitted(text, line.size)
                    draw.text((_MARGIN + step * number, top + _GAP), written, line.colour, font)
            else:
                for number, image in enumerate(line):
                    sheet.paste(image, (_MARGIN + step * number, top))
            top += height
        return sheet

    def _width(self) -> int:
        images = max(len(line) for line in self._lines if not isinstance(line, _Text))
        texts = (line for line in self._lines if isinstance(line, _Text))
        fits = (fitted(line.texts[0], line.size) for line in texts)
        longest = max(font.getlength(written) for written, font in fits)
        return _MARGIN * 2 + max(images * (_CELL + _GAP) - _GAP, ceil(longest))


def _cell(image: Image.Image) -> Image.Image:
    """Return an image scaled down into a cell, on a mat that tells its own black from none."""
    scale = min(_CELL / image.width, _CELL / image.height)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    cell = Image.new("RGB", (_CELL, _CELL), _MAT)
    cell.paste(image, ((_CELL - image.width) // 2, (_CELL - image.height) // 2))
    return cell
