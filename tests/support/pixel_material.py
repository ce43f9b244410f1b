"""Small tables of drawn pictures, for the tests of loading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from model_loader import Normalize, Resize, Transform
from model_loader.operations import Fit
from tests.support.images import encode, noise
from training.data.table import ImageTable, read_folder
from training.pixels.cache import PixelCache
from training.pixels.dataset import PixelDataset, load_pixels

NORMALIZE = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SQUASH = Transform((Resize(20, 24),), NORMALIZE)
VARIABLE = Transform((Fit(16, 900),), NORMALIZE)


def make(root: Path, count: int = 24) -> ImageTable:
    """Draw a table of two classes, each picture of its own size."""
    for number in range(count):
        folder = root / ("a b" if number % 2 else "птица")
        folder.mkdir(parents=True, exist_ok=True)
        picture = noise(12 + 3 * number, 100 - 2 * number, number)
        (folder / f"{number:02}.png").write_bytes(encode(picture, "PNG"))
    return read_folder(root)


def load(
    table: ImageTable, transform: Transform = SQUASH, cache: Path | None = None, **options: Any
) -> PixelDataset:
    return load_pixels(
        table.root,
        table.rows,
        table.labels,
        transform,
        "Reading",
        cache=None if cache is None else PixelCache(cache),
        **options,
    )


def same(ours: PixelDataset, theirs: PixelDataset) -> bool:
    return len(ours) == len(theirs) and all(
        torch.equal(ours[i][0], theirs[i][0]) and ours[i][1] == theirs[i][1]
        for i in range(len(ours))
    )


def kept(cache: Path) -> list[str]:
    """What a cache holds, finished or not."""
    return [path.name for path in cache.iterdir() if path.name != ".lock"]
