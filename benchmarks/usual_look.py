"""Looking at a folder of images as a notebook does: the baseline of `inspect` and `clean`.

One loop in one process. It opens each image with Pillow; the numbers come from the libraries that
are usual for them.

    python -m benchmarks.usual_look headers|inspect|clean FOLDER

`headers`: bytes, format, mode, width, height, and the digest that finds copies; nothing is decoded.
`inspect`: the same, and each image is decoded, once, whole. `clean`: as well the perceptual hash
(imagehash) and the darkness and blurriness (CleanVision). What follows from these (tables,
thresholds, clusters, near duplicates) is left out: ours has it.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image


def look(path: Path, *, decode: bool = True) -> tuple[object, ...]:
    """Return what a summary of an image needs."""
    data = path.read_bytes()
    image = Image.open(io.BytesIO(data))
    if decode:
        image.load()
    digest = hashlib.sha256(data).hexdigest()
    return len(data), image.format, image.mode, *image.size, digest


def judge(path: Path) -> tuple[object, ...]:
    """Return what cleaning needs of an image."""
    import imagehash
    from cleanvision.issue_managers.image_property import BlurrinessProperty, BrightnessProperty

    data = path.read_bytes()
    opened = Image.open(io.BytesIO(data))
    image = opened.convert("RGB")
    digest = hashlib.sha256(data).hexdigest()
    scores = BrightnessProperty("dark").calculate(image), BlurrinessProperty().calculate(image)
    return len(data), opened.format, *image.size, digest, imagehash.phash(image), *scores


SEEING: dict[str, Callable[[Path], object]] = {
    "headers": partial(look, decode=False),
    "inspect": look,
    "clean": judge,
}


def main(verb: str, folder: Path) -> None:
    """Look at every image; print how many there were as JSON."""
    found = [SEEING[verb](path) for path in sorted(folder.glob("*/*"))]
    print(json.dumps({"images": len(found)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
