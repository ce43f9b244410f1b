"""Measurements of one file for the cleaning rules."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_loader import EncodedImage, InputError, TooLargeError, UnsupportedImageError
from model_loader.image.formats import FORMATS
from training.cleaning.image_quality import brightest, edges
from training.data.suffixes import is_image_name
from training.data.table import LabelledImage
from training.output.progress import progress
from training.parallel import in_threads

_THUMBNAIL = (16, 16)
_ENOUGH = (512, 512)
"""Pixels that a large image is still decoded to; everything here is measured at 256 and fewer."""


@dataclass(frozen=True, eq=False)
class Examined:
    """One file."""

    file: str  # path below the root
    label: str
    rule: str | None = None  # the rule that drops it by itself
    reason: str = ""  # why, where there is a rule
    bytes: int = 0
    format: str = ""  # Pillow's name of the content's format
    width: int = 0  # pixels of the upright image
    height: int = 0
    sha256: str = ""
    hash: int = 0  # 64-bit perceptual hash
    thumbnail: NDArray[np.uint8] | None = None  # [16, 16, 3]
    brightness: float = 1.0  # CleanVision's darkness score: 99th percentile of brightness
    edges: tuple[float, float] = (0.0, 0.0)  # deviations of edges and of the grey histogram


def examine_files(
    root: Path, rows: Sequence[LabelledImage], threads: int | None = None
) -> list[Examined]:
    """Read and decode every file, on all cores.

    Threads do it: Pillow releases the GIL, and a process of its own for each core would
    take longer to start than a thousand images take.

    Args:
        root: The folder.
        rows: Its files.
        threads: None for one a core.
    """
    found = []
    with warnings.catch_warnings(), progress("Examining", len(rows)) as advance:
        warnings.simplefilter("ignore")  # Pillow's, on odd metadata and on large images
        for examined in in_threads(partial(_examine, root), rows, threads):
            found.append(examined)
            advance("")
    return found


def _examine(root: Path, row: LabelledImage) -> Examined:
    """Read and decode one file; whatever is wrong with it becomes a rule and a reason."""
    try:
        data = (root / row.file).read_bytes()
    except FileNotFoundError:
        return Examined(row.file, row.label, "unreadable", "disappeared during the run")
    except OSError as error:
        return Examined(row.file, row.label, "unreadable", str(error.strerror))
    if not data:
        return Examined(row.file, row.label, "empty", "0 bytes")
    return _examine_bytes(row, data)


def _examine_bytes(row: LabelledImage, data: bytes) -> Examined:
    try:
        encoded = EncodedImage.read(data)
        image = encoded.decode(_ENOUGH)
    except InputError as error:
        reason = str(error).split(". ")[0]
        return Examined(row.file, row.label, _rule(row.file, data, error), reason, len(data))
    suffix = Path(row.file).suffix
    wrong = suffix.lower() not in FORMATS[encoded.format].suffixes
    width, height = encoded.size
    return Examined(
        row.file,
        row.label,
        "wrong-extension" if wrong else None,
        f"a {encoded.format} image named {suffix or 'without extension'}" if wrong else "",
        len(data),
        encoded.format,
        width,
        height,
        hashlib.sha256(data).hexdigest(),
        int(str(imagehash.phash(image)), 16),
        np.asarray(image.resize(_THUMBNAIL, Image.Resampling.BOX)),
        brightest(image),
        edges(image),
    )


def _rule(file: str, data: bytes, error: InputError) -> str:
    """Return the rule for a file that cannot be decoded."""
    if isinstance(error, TooLargeError):
        return "too-many-pixels"
    if isinstance(error, UnsupportedImageError) and not is_image_name(file):
        return "no-image"
    return "truncated" if _cut_short(data, error) else "undecodable"


def _cut_short(data: bytes, error: InputError) -> bool:
    """Say whether the file ends before what it promises."""
    if "truncated" in str(error).lower():
        return True
    if data[:4] == b"RIFF":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if data[:4] in (b"II*\x00", b"MM\x00*"):
        return int.from_bytes(data[4:8], "little" if data[:1] == b"I" else "big") >= len(data)
    return False
