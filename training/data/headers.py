"""The headers of image files, read without the pixels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_loader import (
    MAX_PIXELS,
    EncodedImage,
    InputError,
    TooLargeError,
    UnsupportedImageError,
)
from model_loader.image.essentials import FileBytes
from training.data.table import LabelledImage
from training.output.progress import progress

_TOO_LARGE = f"too many pixels (at most {MAX_PIXELS / 1e6:.0f} million are taken)"


@dataclass(frozen=True, slots=True)  # there may be a million
class Header:
    """The header of one image file.

    Attributes:
        file: Path below the table's root.
        label: The class.
        bytes: Size in bytes; 0 if the file has disappeared.
        width: Pixels of the upright image (EXIF orientation applied), like ``height``; 0 if there
            is a problem.
        format: Pillow's name of the content's format, ``JPEG`` say, whatever the suffix.
        mode: Pillow's name of the pixel format, ``RGB`` say.
        problem: Why the image cannot be used, by its header; None if it can.
    """

    file: str
    label: str
    bytes: int
    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    problem: str | None = None


def read_headers(root: Path, rows: Sequence[LabelledImage], title: str) -> list[Header]:
    """Read the headers of a table's images; one that cannot be read becomes a problem.

    One thread is the fastest: others would wait for the GIL.
    """
    headers = []
    with warnings.catch_warnings(), progress(title, len(rows)) as advance:
        warnings.simplefilter("ignore")  # Pillow's, on odd EXIF data and on large images
        for row in rows:
            headers.append(read_header(root, row))
            advance("")
    return headers


def read_header(root: Path, row: LabelledImage) -> Header:
    """Read one image's header."""
    size = 0
    try:
        with (root / row.file).open("rb", buffering=0) as file:
            data = FileBytes(file)
            size = len(data)
            if not size:
                return Header(row.file, row.label, 0, problem="empty (0 bytes)")
            image = EncodedImage.read(data)
            return Header(row.file, row.label, size, *image.size, image.format, image.mode)
    except UnsupportedImageError:
        problem = "not an image that can be read"
    except TooLargeError:
        problem = _TOO_LARGE
    except FileNotFoundError:
        problem = "disappeared while it was looked at"
    except InputError as error:
        problem = f"damaged header ({error})"
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    return Header(row.file, row.label, size, problem=problem)
