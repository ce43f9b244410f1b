"""A window for labelled images; imported only when one is asked for."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Self

from PIL import Image, ImageTk

from training.errors import TrainingError
from training.output.progress import say

try:
    import tkinter
except ImportError as error:
    raise TrainingError(
        f"A window needs Tk, which this Python is without ({error}). Give --output FILE.mp4 to "
        "write the labelled frames to a video instead; Debian and Ubuntu have Tk for their Python "
        "in python3-tk, Homebrew in python-tk."
    ) from error


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
        """Open it.

        Raises:
            TrainingError: There is no display.
        """
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            display = os.environ.get("DISPLAY")
            reason = f" ({display} does not answer)" if display else ""
            raise TrainingError(
                f"There is no display to open a window on{reason}. Give --output FILE.mp4 to write "
                "the labelled frames to a video instead; over ssh, `ssh -X` lends a display."
            ) from error
        self._root.title(self._title)
        self._root.resizable(width=False, height=False)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._root.bind("<Key>", self._press)
        self._root.protocol("WM_DELETE_WINDOW", self._close)
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._root.destroy()

    def show(self, image: Image.Image, seconds: float) -> None:
        """Show an image."""
        self._photo = ImageTk.PhotoImage(image)  # Tk shows it only as long as somebody holds it
        self._label.configure(image=self._photo)
        self._shown = image

    def goes_on(self) -> bool:
        """Do what keys ask for."""
        self._root.update()
        return self._open

    def _press(self, event: tkinter.Event[tkinter.Misc]) -> None:
        if event.keysym in ("q", "Q", "Escape"):
            self._close()
        elif event.keysym in ("s", "S") and self._shown is not None:
            self._save(self._shown)

    def _close(self) -> None:
        self._open = False

    def _save(self, image: Image.Image) -> None:
        now = datetime.now()
        path = self._snapshots / f"webcam-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}.png"
        try:
            self._snapshots.mkdir(parents=True, exist_ok=True)
            image.save(path)
        except OSError as error:
            say(f"The snapshot {path} cannot be written: {error.strerror}.", "Error:", "red")
        else:
            say(f"Snapshot {path}")
