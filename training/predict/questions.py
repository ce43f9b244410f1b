"""Questions, an image file or a frame each, and their answers."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from PIL import Image

from model_loader import InputError, Model, Prediction, UndecodableImageError

_QUALITY = 95
"""JPEG quality of frames; a PNG of 1920 × 1080 is often too large for a request."""


class Question(Protocol):
    """Something that a model is asked about; it may be handed to another process."""

    @property
    def name(self) -> str:
        """The name in the list of answers."""
        ...

    def open(self) -> BinaryIO:
        """Open it as an image file.

        Raises:
            OSError: It cannot be opened.
            InputError: It is known to be no image.
        """
        ...

    def classify(self, model: Model) -> Prediction:
        """Answer it in this process; raises as ``open`` does."""
        ...


@dataclass(frozen=True)
class ImageFile:
    """An image in a file, which is read when it is its turn."""

    path: Path

    @property
    def name(self) -> str:
        """The path, with undecodable bytes escaped."""
        return printable(self.path)

    def open(self) -> BinaryIO:
        """Open the file."""
        return self.path.open("rb")

    def classify(self, model: Model) -> Prediction:
        """Answer it as the service does."""
        return model.classify(self.path.read_bytes())


@dataclass(frozen=True)
class Frame:
    """An image that a camera or a video has given, of mode RGB."""

    name: str
    image: Image.Image

    def open(self) -> BinaryIO:
        """Return a JPEG of it."""
        buffer = io.BytesIO()
        self.image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
        buffer.seek(0)
        return buffer

    def classify(self, model: Model) -> Prediction:
        """Answer it as it is."""
        return model.classify_decoded(self.image)


@dataclass(frozen=True)
class Unreadable:
    """A source without images."""

    name: str
    reason: str

    def open(self) -> BinaryIO:
        """Raise its reason."""
        raise UndecodableImageError(self.reason)

    def classify(self, model: Model) -> Prediction:
        """Raise its reason."""
        raise UndecodableImageError(self.reason)


@dataclass(frozen=True)
class Answer:
    """The prediction for a question, or the reason why there is none."""

    image: str  # the question's name
    prediction: Prediction | None
    error: str = ""  # a sentence; empty where there is a prediction


def answer(model: Model, question: Question) -> Answer:
    """Answer one question in this process."""
    try:
        return Answer(question.name, question.classify(model))
    except (OSError, InputError) as error:
        return Answer(question.name, None, reason(error))


def reason(error: OSError | InputError) -> str:
    """Say in a sentence why a question has no answer."""
    if isinstance(error, OSError):
        return f"It cannot be read: {error.strerror}."
    return str(error)


def printable(path: Path) -> str:
    r"""Return a path as text; a byte of its name that is no UTF-8 becomes ``\udc…``."""
    return str(path).encode(errors="backslashreplace").decode()
