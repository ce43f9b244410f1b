"""The usual way to look at a folder of images: the baseline of `inspect` and `clean`.

    python -m benchmarks.usual_look headers|inspect|clean FOLDER

One loop in one process opens each image with Pillow. `headers` takes bytes, format, mode, width,
height, and the digest that finds copies, without decoding; `inspect` decodes each image as well;
`clean` also computes the perceptual hash (imagehash), darkness and blurriness (CleanVision). What
follows from these (tables, thresholds, clusters, near duplicates) is left out, though ours has it.
"""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path

from PIL import Image


def look(path: Path, command: str) -> tuple[object, ...]:
    """Return what a command needs of an image."""
    data = path.read_bytes()
    image = Image.open(io.BytesIO(data))
    digest = hashlib.sha256(data).hexdigest()
    header = len(data), image.format, image.mode, *image.size, digest
    if command == "inspect":
        image.load()
    if command != "clean":
        return header
    import imagehash
    from cleanvision.issue_managers.image_property import BlurrinessProperty, BrightnessProperty

    rgb = image.convert("RGB")
    scores = BrightnessProperty("dark").calculate(rgb), BlurrinessProperty().calculate(rgb)
    return *header, imagehash.phash(rgb), *scores


if __name__ == "__main__":
    print(len([look(path, sys.argv[1]) for path in sorted(Path(sys.argv[2]).glob("*/*"))]))
