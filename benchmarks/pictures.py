"""What is classified: photographs where there are some, else drawings of the same sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.rows import Options
from samples.draw import CLASSES, draw_image, draw_sample_data

LARGE = (4032, 3024)
"""12 megapixels, as telephones and drones take them."""

SMALL = (512, 384)
"""0.2 megapixels."""

SCREEN = (1280, 960)
"""1.2 megapixels: as a PNG, with a photograph's grain, as much as a request takes."""

_GRAIN = 6.0
"""Grey levels by which a drawing's pixels vary, as a sensor's do: without it a file of so many
pixels would have a tenth of a photograph's bytes."""

_QUALITY = 90

_SMOKE = 3
"""By which the large picture's sides are divided where nothing is really measured."""

_SURE = CLASSES[2]
"""The class of which the model is surest, so that no rounding turns a drawing into another."""


@dataclass(frozen=True)
class Picture:
    """One file.

    Attributes:
        name: "12mp", "12mp-progressive", "0.2mp" or "1.2mp-png".
        title: What it is, for people.
        path: Where it lies.
    """

    name: str
    title: str
    path: Path


def pictures(options: Options) -> tuple[Picture, Picture, Picture]:
    """Return a picture of 12 megapixels, the same as a progressive JPEG, and one of 0.2."""
    folder = options.work / "pictures"
    if not folder.is_dir():
        folder.mkdir()
        _write(folder, options)
    kind = "photograph" if options.data else "drawing"
    shrunk = _SMOKE**2 if options.smoke else 1
    large, small = (
        f"{kind} of {width * height / 1e6 / by:.2g} megapixels"
        for (width, height), by in ((LARGE, shrunk), (SMALL, 1))
    )
    return (
        Picture("12mp", large, folder / "large.jpg"),
        Picture("12mp-progressive", f"{large}, progressive JPEG", folder / "progressive.jpg"),
        Picture("0.2mp", small, folder / "small.jpg"),
    )


def png_picture(options: Options) -> Picture:
    """Return a picture of 1.2 megapixels as PNG: a format that has no smaller decoding."""
    path = pictures(options)[0].path.with_name("screen.png")
    return Picture("1.2mp-png", "PNG of 1.2 megapixels", path)


def photographs(data: Path) -> list[Path]:
    """Return all photographs of a folder, in an order that does not change."""
    return sorted(data.rglob("*.jpg"))


def drawings(folder: Path, count: int) -> list[Path]:
    """Draw at least so many small pictures, of each class as many; return their files."""
    draw_sample_data(folder, math.ceil(count / len(CLASSES)))
    return photographs(folder)


def _write(folder: Path, options: Options) -> None:
    large, small = (_picture(size, options.data) for size in (LARGE, SMALL))
    if options.smoke:
        large = large.reduce(_SMOKE)
    large.save(folder / "large.jpg", quality=_QUALITY)
    large.save(folder / "progressive.jpg", quality=_QUALITY, progressive=True)
    small.save(folder / "small.jpg", quality=_QUALITY)
    large.resize(SCREEN).save(folder / "screen.png")


def _picture(size: tuple[int, int], data: Path | None) -> Image.Image:
    return _closest(data, size) if data else _grained(draw_image(_SURE), size)


def _closest(data: Path, size: tuple[int, int]) -> Image.Image:
    """Return the photograph whose area comes closest to that of a size."""

    def difference(path: Path) -> int:
        with Image.open(path) as image:
            return abs(image.width * image.height - size[0] * size[1])

    return Image.open(min(photographs(data), key=difference)).convert("RGB")


def _grained(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    levels = np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    grain = np.random.default_rng(0).normal(0, _GRAIN, levels.shape[:2])[..., None]
    return Image.fromarray((levels + grain).clip(0, 255).astype(np.uint8))
