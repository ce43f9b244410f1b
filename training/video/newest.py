"""The newest frame of something that does not wait: frames that nobody had time for are dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Self

from training.video.clip import VideoFrame

Read = Callable[[], VideoFrame | None]
"""Waits for the next frame and returns it; None after the last."""


_SECONDS_TO_END = 5.0


class Newest:
    """Reads frames in a thread of its own, and keeps the newest one only.

    Whoever is slow sees fewer frames, never old ones.

    Attributes:
        dropped: Frames that were replaced before anyone took them.
    """

    def __init__(self, read: Read) -> None:
        """Remember where frames come from; reading begins with the ``with`` block."""
        self.dropped = 0
        self._read = read
        self._frame: VideoFrame | None = None
        self._error: BaseException | None = None
        self._over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop reading, after the frame that is being read; a camera that hangs is left alone."""
        with self._changed:
            self._over = True
        self._thread.join(_SECONDS_TO_END)

    def take(self, timeout: float | None = None) -> VideoFrame | None:
        """Return the newest frame that was not taken before; wait for one if need be.

        Args:
            timeout: Seconds to wait at most; None for ever.

        Returns:
            None where there is none in time, or none any more; see ``over``.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._over, timeout)
            frame, self._frame = self._frame, None
        if frame is None and self._error is not None:
            raise self._error
        return frame

    @property
    def over(self) -> bool:
        """Whether the last frame was taken."""
        with self._changed:
            return self._over and self._frame is None

    def frames(self) -> Iterator[VideoFrame]:
        """Yield the newest frame until there are no more."""
        while (frame := self.take()) is not None:
            yield frame

    def _run(self) -> None:
        try:
            while (frame := self._read()) is not None:
                with self._changed:
                    if self._over:
                        return
                    self.dropped += self._frame is not None
                    self._frame = frame
                    self._changed.notify_all()
        except BaseException as error:  # it belongs to whoever waits for a frame
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()
