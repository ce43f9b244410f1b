"""What labelled images go to: a video file, here, or a window."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

from PIL import Image

from training.errors import TrainingError
from training.video.opencv import cv2, to_levels


class Screen(Protocol):
    """Something that shows labelled images.

    Attributes:
        note: Text on each image, beside the answer.
    """

    note: str

    def show(self, image: Image.Image, seconds: float) -> None:
        """Show an image of the given moment."""
        ...

    def goes_on(self) -> bool:
        """Whether nobody has asked to stop; called often."""
        ...


class Recorder:
    """An MP4 file; each image is held until the next one's moment, so that time runs as it did.

    Attributes:
        frames: Written so far.
    """

    note = ""

    def __init__(self, path: Path, rate: float) -> None:
        """Say where it goes, and how many frames a second it gets."""
        self.frames = 0
        self._path = path
        self._rate = rate
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._held: Image.Image | None = None
        self._began = 0.0

    def __enter__(self) -> Self:
        """Make sure that the file can be written, before any frame is answered.

        Raises:
            TrainingError: It cannot.
        """
        if self._path.suffix.lower() != ".mp4":
            raise TrainingError(f"--output {self._path} must end in .mp4, which is what it writes.")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.open("xb").close()
        except FileExistsError as error:
            raise TrainingError(
                f"{self._path} exists already. Give --output another name."
            ) from error
        except OSError as error:
            raise TrainingError(f"{self._path} cannot be written: {error.strerror}.") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Finish the file."""
        if self._held is not None:
            self._write(self._held)
        if self._writer is None:
            self._path.unlink(missing_ok=True)
        else:
            self._writer.release()

    def show(self, image: Image.Image, seconds: float) -> None:
        """Write the image before, as often as its time asks for."""
        if self._held is None:
            self._began = seconds
        while self._held and self.frames < round((seconds - self._began) * self._rate):
            self._write(self._held)
        self._held = image

    def goes_on(self) -> bool:
        """Return True."""
        return True

    def _write(self, image: Image.Image) -> None:
        if self._writer is None:
            self._size = image.size
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._path), codec, self._rate, self._size)
            if not self._writer.isOpened():
                raise TrainingError(f"{self._path} cannot be written: OpenCV has no MP4 encoder.")
        if image.size != self._size:  # or OpenCV leaves it out without a word
            image = image.resize(self._size)
        self._writer.write(to_levels(image))
        self.frames += 1
