"""Outputs for live images: a window, or a video file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

from PIL import Image

from training.errors import TrainingError
from training.output.progress import console
from training.video.opencv import cv2, to_levels

_QUIT = {ord("q"), ord("Q"), 27}
_SNAPSHOT = {ord("s"), ord("S")}

_OPEN_A_WINDOW = "import cv2; cv2.namedWindow('display'); cv2.waitKey(1)"
_SECONDS_TO_OPEN = 30
_FIRST = "Opening …"
_SECONDS_TO_SETTLE = 1.0
_SECONDS_TO_APPEAR = 0.3
_NO_DISPLAY = (
    "There is no display to open a window on{reason}. Give --output FILE.mp4 to write the labelled "
    "frames to a video instead; over ssh, `ssh -X` lends a display."
)


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


def check_display() -> None:
    """Make sure that a window can be opened.

    Where the display does not answer, OpenCV ends the process that asks for a window: so another
    one tries first.

    Raises:
        TrainingError: It cannot.
    """
    if sys.platform != "linux":
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise TrainingError(_NO_DISPLAY.format(reason=""))
    try:
        subprocess.run(
            [sys.executable, "-c", _OPEN_A_WINDOW],
            capture_output=True,
            check=True,
            timeout=_SECONDS_TO_OPEN,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        raise TrainingError(_NO_DISPLAY.format(reason=f" ({display} does not answer)")) from error


def _let_qt_work(seconds: float) -> None:
    begin = time.monotonic()
    while time.monotonic() < begin + seconds:
        cv2.waitKey(20)


class Window:
    """A window; ``q``, Escape or its own button closes it, ``s`` saves a snapshot."""

    note = "q quits, s saves a snapshot"

    def __init__(self, title: str, snapshots: Path) -> None:
        """Say what it is called, and into which folder snapshots go."""
        self._title = title
        self._snapshots = snapshots
        self._shown: Image.Image | None = None
        self._open = True

    def __enter__(self) -> Self:
        """Open it; on Linux behind another window, which is closed again.

        On a busy machine Qt loses the X server's messages of its first moments, and with them that
        a window is on the screen: such a window answers keys, but stays black for ever. One that is
        opened when Qt has run for a while does not.
        """
        if sys.platform == "linux":
            self._appear(_FIRST)
            _let_qt_work(_SECONDS_TO_SETTLE)
            self._appear(self._title)
            _let_qt_work(_SECONDS_TO_APPEAR)
            cv2.destroyWindow(_FIRST)
        else:
            self._appear(self._title)
        return self

    @staticmethod
    def _appear(title: str) -> None:
        cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)

    def __exit__(self, *_: object) -> None:
        """Close it."""
        cv2.destroyAllWindows()

    def show(self, image: Image.Image, seconds: float) -> None:
        """Show an image."""
        cv2.imshow(self._title, to_levels(image))
        self._shown = image

    def goes_on(self) -> bool:
        """Do what keys ask for."""
        key = cv2.waitKey(1)
        if key in _SNAPSHOT and self._shown is not None:
            self._save(self._shown)
        if key in _QUIT or cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            self._open = False
        return self._open

    def _save(self, image: Image.Image) -> None:
        now = datetime.now()
        path = self._snapshots / f"webcam-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}.png"
        try:
            self._snapshots.mkdir(parents=True, exist_ok=True)
            image.save(path)
        except OSError as error:
            console.print(f"The snapshot {path} cannot be written: {error.strerror}.", style="red")
        else:
            console.print(f"Snapshot {path}", soft_wrap=True)


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
