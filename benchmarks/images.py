"""The images that are classified and trained on: photographs if given, else drawings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.rows import Options
from samples.draw import CLASSES, draw_image, draw_sample_data
from training.data.stratify import split_table
from training.data.table import read_folder

_LARGE, _SMALL = (4032, 3024), (512, 384)  # 12 megapixels, as phones and drones take them; and 0.2
_SMOKE = 3  # divides the large image's sides
_GRAIN, _QUALITY = 6.0, 90  # grey levels of noise, as a sensor has it, or files are too small
_PER_CLASS, _SMOKE_PER_CLASS = 300, 12


@dataclass(frozen=True)
class ImageFile:
    """One file to classify; its name is "12mp", "12mp-progressive" or "0.2mp"."""

    name: str
    title: str
    path: Path


def image_files(options: Options) -> tuple[ImageFile, ImageFile, ImageFile]:
    """Return an image of 12 megapixels, the same as a progressive JPEG, and one of 0.2."""
    folder = options.work / "image-files"
    if not folder.is_dir():
        folder.mkdir()
        large, small = (_image(size, options) for size in (_LARGE, _SMALL))
        large = large.reduce(_SMOKE) if options.smoke else large
        large.save(folder / "large.jpg", quality=_QUALITY)
        large.save(folder / "progressive.jpg", quality=_QUALITY, progressive=True)
        small.save(folder / "small.jpg", quality=_QUALITY)
    kind = "photograph" if options.data else "drawing"
    large_title = f"{kind} of {1.4 if options.smoke else 12} megapixels"
    return (
        ImageFile("12mp", large_title, folder / "large.jpg"),
        ImageFile("12mp-progressive", f"{large_title}, progressive", folder / "progressive.jpg"),
        ImageFile("0.2mp", f"{kind} of 0.2 megapixels", folder / "small.jpg"),
    )


def photographs(options: Options) -> list[Path]:
    """Return all JPEG files of `--data`, or drawings, in an order that does not change."""
    return sorted((options.data or labelled_folder(options)).rglob("*.jpg"))


def labelled_folder(options: Options) -> Path:
    """Return a folder with one folder of images for each class."""
    if options.data and (options.data / "flying-objects").is_dir():
        return options.data / "flying-objects"
    folder = options.work / "labelled"
    if not folder.is_dir():
        draw_sample_data(folder, _SMOKE_PER_CLASS if options.smoke else _PER_CLASS)
    return folder


def split_folder(options: Options) -> Path:
    """Return a folder with `train/` and `validation/`, split as the recipes do."""
    folder = labelled_folder(options)
    split = split_table(read_folder(folder), validation=0.15, test=0.15, seed=0)
    parts = {"train": split.train, "validation": split.validation}
    links = {f"{name}/{row.file}": folder / row.file for name in parts for row in parts[name]}
    return _linked(options.work / "parts", links)


def folder_of(count: int, options: Options) -> Path:
    """Return a labelled folder of this many images: links to the labelled images."""
    folder = labelled_folder(options)
    rows = read_folder(folder).rows
    links = {}
    for number in range(count):
        row = rows[number * len(rows) // count if count < len(rows) else number % len(rows)]
        links[f"{row.label}/{number:05}{Path(row.file).suffix}"] = folder / row.file
    return _linked(options.work / f"images-{count}", links)


def large_folder(count: int, options: Options) -> Path:
    """Return a folder of two classes with this many 12-megapixel images: links to one."""
    file = image_files(options)[0].path
    return _linked(options.work / "large", {f"{i % 2}/{i:03}.jpg": file for i in range(count)})


def _linked(folder: Path, links: dict[str, Path]) -> Path:
    if not folder.is_dir():
        for name, file in links.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(file)
    return folder


def _image(size: tuple[int, int], options: Options) -> Image.Image:
    """Return the photograph whose area comes closest to a size, or a drawing of the size."""
    if options.data:

        def difference(path: Path) -> int:
            with Image.open(path) as image:
                return abs(image.width * image.height - size[0] * size[1])

        return Image.open(min(photographs(options), key=difference)).convert("RGB")
    # The class of which the model is surest, so that rounding does not change the answer.
    drawn = draw_image(CLASSES[2]).resize(size, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).normal(0, _GRAIN, (size[1], size[0], 1))
    return Image.fromarray((np.asarray(drawn) + grain).clip(0, 255).astype(np.uint8))
