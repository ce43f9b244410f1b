"""A folder as people have them: many formats, sizes and names; some files damaged, some twice."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

from PIL import Image

from samples.draw import CLASSES, draw_image

PLACES = {
    "à l'aube": "orange",
    "bei Nebel": "white",
    "over the sea": "blue",
    "夜": "black",
    "100% zoom": "green",
}
LABELS = tuple(f"{shape} {place}" for shape, place in product(CLASSES, PLACES))
"""20 classes: the same shape at a place of another colour is another one."""

_SAVED_AS = (
    (".jpg", "RGB"),
    (".JPG", "L"),
    (".jpeg", "CMYK"),
    (".png", "RGBA"),
    (".png", "P"),
    (".gif", "P"),
    (".bmp", "RGB"),
    (".tif", "RGB"),
    (".webp", "RGB"),
    (" (1).png", "LA"),
)
_SIDES = (24, 60, 90, 130, 180, 400)


def put_images(folder: Path, each: int = 40) -> None:
    """Write the images of all classes, three damaged files and four copies among them."""
    for number, label in enumerate(LABELS):
        (folder / label).mkdir(parents=True)
        for index in range(each):
            ending, mode = _SAVED_AS[index % len(_SAVED_AS)]
            shape, place = divmod(number, len(PLACES))
            image = draw_image(CLASSES[shape], seed=number, index=index)
            colour = Image.new("RGB", image.size, list(PLACES.values())[place])
            image = Image.blend(image, colour, 0.5)
            longest = _SIDES[index % len(_SIDES)]
            image.thumbnail((longest, longest), Image.Resampling.BOX)
            image.convert(mode).save(folder / label / f"bild {index:02} naïve{ending}")
    whole = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in whole[:3]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for path in whole[5:9]:
        shutil.copyfile(path, path.with_stem(f"{path.stem} - Kopie"))


def divide(folder: Path) -> None:
    """Move a folder's images into folders of parts, of which one is called as Keras does."""
    for label in LABELS:
        for number, path in enumerate(sorted((folder / label).iterdir())):
            part = "train" if number < 28 else "Validation" if number < 34 else "test"
            target = folder / part / label / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        (folder / label).rmdir()
