"""A contact sheet: what augmentation makes of a few images of each class."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from model_loader import Transform
from model_loader.transform import ImageOp, apply_ops
from training.data.augment import Augmentation
from training.data.contents import Skips
from training.data.decoding import read_image
from training.data.table import LabelledImage
from training.errors import TrainingError

VERSIONS = 6
"""Augmented versions of each image."""

PER_CLASS = 2
"""Images of each class."""

MOST_CLASSES = 12
"""Classes that are shown; the first ones."""

_CELL, _GAP, _MARGIN, _LINE = 176, 6, 18, 22
_PAPER, _INK, _FAINT, _MAT = (255, 255, 255), (32, 32, 36), (120, 120, 128), (238, 238, 241)


def write_preview(
    rows: Sequence[LabelledImage],
    root: Path,
    augmentation: Augmentation,
    transform: Transform,
    path: Path,
    seed: int,
    train_ops: tuple[ImageOp, ...] | None = None,
) -> int:
    """Write a PNG with a line for each image: the original, the test's view, augmented versions.

    Args:
        rows: The images to choose from; an image that cannot be used is passed over.
        root: The data folder.
        augmentation: What training draws at each access.
        transform: The test transform.
        path: The PNG.
        seed: Chooses the images, and what the augmentation draws.
        train_ops: The picture operations before the augmentation; None for the test transform's.

    Returns:
        The number of images shown.

    Raises:
        TrainingError: No image can be used, or the file cannot be written.
    """
    lines = preview_lines(rows, root, augmentation, transform, seed, train_ops)
    sheet = _Sheet(["original", "at test time", *(["augmented"] + [""] * (VERSIONS - 1))])
    for label, of_label in itertools.groupby(lines, lambda line: line.label):
        sheet.heading(label)
        for line in of_label:
            sheet.line(line.pictures)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.draw().save(path, "PNG")
    except OSError as error:
        raise TrainingError(f"The preview {path} cannot be written: {error.strerror}.") from error
    return len(lines)


@dataclass(frozen=True)
class PreviewLine:
    """One image, and what becomes of it.

    Attributes:
        label: Its class.
        pictures: The original, the test's view, and ``VERSIONS`` augmented ones.
    """

    label: str
    pictures: list[Image.Image]


def preview_lines(
    rows: Sequence[LabelledImage],
    root: Path,
    augmentation: Augmentation,
    transform: Transform,
    seed: int,
    train_ops: tuple[ImageOp, ...] | None = None,
) -> list[PreviewLine]:
    """Return what ``write_preview`` draws, class by class; arguments and errors are its."""
    chosen = _choose(rows, root, seed)
    ops = transform.image_ops if train_ops is None else train_ops
    lines = []
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for row, image in chosen:
            start = _planes(apply_ops(ops, image))
            versions = [_picture(augmentation(start.clone())) for _ in range(VERSIONS)]
            lines.append(PreviewLine(row.label, [image, transform.resize(image), *versions]))
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


def _planes(image: Image.Image) -> Tensor:
    """Return a picture as augmentation takes it: uint8 [3, H, W]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _picture(planes: Tensor) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(planes.permute(1, 2, 0).numpy()))


class _Sheet:
    """Headings and lines of pictures, drawn when all of them are known."""

    def __init__(self, columns: list[str]) -> None:
        self._columns = columns
        self._lines: list[str | list[Image.Image]] = []

    def heading(self, text: str) -> None:
        self._lines.append(text)

    def line(self, pictures: list[Image.Image]) -> None:
        self._lines.append([_cell(picture) for picture in pictures])

    def draw(self) -> Image.Image:
        step = _CELL + _GAP
        heights = [_LINE + _GAP * 2 if isinstance(x, str) else step for x in self._lines]
        width = _MARGIN * 2 + step * len(self._columns) - _GAP
        sheet = Image.new("RGB", (width, _MARGIN * 2 + _LINE + sum(heights)), _PAPER)
        draw = ImageDraw.Draw(sheet)
        for number, text in enumerate(self._columns):
            draw.text((_MARGIN + step * number, _MARGIN), text, _FAINT, ImageFont.load_default(13))
        top = _MARGIN + _LINE
        for line, height in zip(self._lines, heights, strict=True):
            if isinstance(line, str):
                draw.text((_MARGIN, top + _GAP), line, _INK, ImageFont.load_default(17))
            else:
                for number, picture in enumerate(line):
                    sheet.paste(picture, (_MARGIN + step * number, top))
            top += height
        return sheet


def _cell(picture: Image.Image) -> Image.Image:
    """Return a picture scaled down into a cell, on a mat that tells its own black from none."""
    scale = min(_CELL / picture.width, _CELL / picture.height)
    if scale < 1:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    cell = Image.new("RGB", (_CELL, _CELL), _MAT)
    cell.paste(picture, ((_CELL - picture.width) // 2, (_CELL - picture.height) // 2))
    return cell
