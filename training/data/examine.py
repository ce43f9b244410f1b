"""What cleaning needs to know of one file: is it an image, how does it look, which is it like."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import imagehash
import numpy as np
from cleanvision.issue_managers.image_property import BlurrinessProperty, BrightnessProperty
from numpy.typing import NDArray
from PIL import Image

from model_loader import InputError, TooLargeError, UnsupportedImageError, decode_image
from model_loader.image import FORMATS
from training.data.table import SUFFIXES, LabelledImage
from training.progress import progress

EXTENSIONS = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),  # two JPEG pictures in one file, as some telephones write them
    "PNG": (".png",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}
"""How a file of each format is named, of the names that training takes; the first is usual."""

_FEW = 256
"""Files that are not worth starting processes for, which takes a second or two."""

_THUMBNAIL = (16, 16)
_LARGEST_SCORED = 256
"""Longest side that is scored for darkness: CleanVision's percentiles take 380 ms of a
12-megapixel picture, and change in the third digit when it is scaled down."""


@dataclass(frozen=True, eq=False)
class Examined:
    """One file.

    Attributes:
        file: Its path below the root.
        label: Its class.
        rule: The rule that drops it whatever the other images are like, or None.
        reason: What was found, where there is a rule.
        bytes: Its size.
        format: Pillow's name of its content.
        width: Pixels of the upright picture. Likewise ``height``.
        sha256: Of its bytes.
        hash: The 64-bit perceptual hash.
        thumbnail: uint8 [16, 16, 3].
        brightness: CleanVision's score of darkness: the 99th percentile of brightness, 0…1.
        edges: What CleanVision's score of blurriness is made of: (blurriness, grey levels' spread).
    """

    file: str
    label: str
    rule: str | None = None
    reason: str = ""
    bytes: int = 0
    format: str = ""
    width: int = 0
    height: int = 0
    sha256: str = ""
    hash: int = 0
    thumbnail: NDArray[np.uint8] | None = None
    brightness: float = 1.0
    edges: tuple[float, float] = (0.0, 0.0)


def examine_files(
    root: Path, rows: Sequence[LabelledImage], workers: int | None = None
) -> list[Examined]:
    """Read and decode every file, on all cores.

    Args:
        root: The folder.
        rows: Its files.
        workers: Processes; None for one a core, or none where there are few files.
    """
    if workers is None:
        workers = (os.cpu_count() or 1) if len(rows) > _FEW else 0
    found = []
    with progress("Examining", len(rows)) as advance:
        for examined in _map(root, rows, workers):
            found.append(examined)
            advance("")
    return found


def _map(root: Path, rows: Sequence[LabelledImage], workers: int) -> Iterator[Examined]:
    if not workers:
        yield from map(partial(examine, root), rows)
        return
    # Spawned, not forked: a fork of a process with torch's threads can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_leave_ctrl_c_to_the_parent)
    try:
        yield from pool.map(partial(examine, root), rows, chunksize=32)
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def examine(root: Path, row: LabelledImage) -> Examined:
    """Read and decode one file; whatever is wrong with it becomes a rule and a reason."""
    try:
        data = (root / row.file).read_bytes()
    except FileNotFoundError:
        return Examined(row.file, row.label, "unreadable", "disappeared during the run")
    except OSError as error:
        return Examined(row.file, row.label, "unreadable", str(error.strerror))
    if not data:
        return Examined(row.file, row.label, "empty", "0 bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, on odd metadata and on large pictures
        return _examine_bytes(row, data)


def _examine_bytes(row: LabelledImage, data: bytes) -> Examined:
    try:
        image = decode_image(data)
    except InputError as error:
        reason = str(error).split(". ")[0]
        return Examined(row.file, row.label, _rule(row.file, data, error), reason, len(data))
    with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
        format_ = opened.format or ""
    suffix = Path(row.file).suffix
    wrong = suffix.lower() not in EXTENSIONS[format_]
    blurriness = BlurrinessProperty().calculate(image)
    return Examined(
        row.file,
        row.label,
        "wrong-extension" if wrong else None,
        f"a {format_} image named {suffix or 'without extension'}" if wrong else "",
        len(data),
        format_,
        image.width,
        image.height,
        hashlib.sha256(data).hexdigest(),
        int(str(imagehash.phash(image)), 16),
        np.asarray(image.resize(_THUMBNAIL, Image.Resampling.BOX)),
        _brightness(image),
        (float(blurriness["blurriness"]), float(blurriness["blurriness_grayscale_std"])),
    )


def _rule(file: str, data: bytes, error: InputError) -> str:
    """Return the rule for a file that cannot be decoded."""
    if isinstance(error, TooLargeError):
        return "too-many-pixels"
    if isinstance(error, UnsupportedImageError) and not _named_like_an_image(file):
        return "no-image"
    return "truncated" if _cut_short(data, error) else "undecodable"


def _named_like_an_image(file: str) -> bool:
    return Path(file).suffix.lower() in SUFFIXES


def _brightness(image: Image.Image) -> float:
    if max(image.size) > _LARGEST_SCORED:
        image = image.copy()
        image.thumbnail((_LARGEST_SCORED, _LARGEST_SCORED))
    return float(BrightnessProperty("dark").calculate(image)["brightness_perc_99"])


def _cut_short(data: bytes, error: InputError) -> bool:
    """Say whether the file ends before what it promises."""
    if "truncated" in str(error).lower():
        return True
    if data[:4] == b"RIFF":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if data[:4] in (b"II*\x00", b"MM\x00*"):
        return int.from_bytes(data[4:8], "little" if data[:1] == b"I" else "big") >= len(data)
    return False
