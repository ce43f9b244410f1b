"""From the command line's words to a stream of questions: files, folders, globs, videos, cameras.

Nothing is read before its turn, so that memory does not grow with the number of images.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from training.data.suffixes import SUFFIXES
from training.data.walk import LeftOut, is_special, walk_images
from training.errors import TrainingError
from training.output.progress import tell
from training.predict.questions import Frame, ImageFile, Question, Unreadable, printable

if TYPE_CHECKING:
    from training.video.sampling import Sampling

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts", ".ogv"}
)
"""A file whose name ends so is taken for a video."""


class Source(Protocol):
    """One word of the command line."""

    def count(self) -> int | None:
        """Return about how many questions there are; None where they do not end by themselves."""
        ...

    def questions(self) -> Iterator[Question]:
        """Yield the questions, each when it is asked for."""
        ...


@dataclass(frozen=True)
class SingleFile:
    """A file that was named: what it holds decides, whatever its name ends in."""

    path: Path

    def count(self) -> int:
        """Return 1."""
        return 1

    def questions(self) -> Iterator[Question]:
        """Yield the file."""
        yield ImageFile(self.path)


@dataclass(frozen=True)
class NoFile:
    """A pipe, socket or device: reading one might never end."""

    path: Path

    def count(self) -> int:
        """Return 1."""
        return 1

    def questions(self) -> Iterator[Question]:
        """Yield one question without an answer."""
        yield Unreadable(printable(self.path), "It is a pipe, socket or device, not a file.")


@dataclass(frozen=True)
class Folder:
    """The images in a folder and in those below it, told by the ends of their names."""

    path: Path

    def count(self) -> int:
        """Count the images."""
        return sum(1 for _ in self._images())

    def questions(self) -> Iterator[Question]:
        """Yield the images, ordered by path."""
        return map(ImageFile, self._images())

    def _images(self) -> Iterator[Path]:
        return (self.path / name for name in walk_images(self.path))


@dataclass(frozen=True)
class Video:
    """The frames of a video file."""

    path: Path
    sampling: Sampling

    def count(self) -> int:
        """Return how many frames the file promises."""
        from training.video.clip import count_frames

        return count_frames(self.path, self.sampling)

    def questions(self) -> Iterator[Question]:
        """Yield the frames; where there is none, one question without an answer."""
        from training.video.clip import BrokenVideoError, read_clip
        from training.video.opencv import to_image

        name = printable(self.path)
        try:
            for frame in read_clip(self.path, self.sampling):
                yield Frame(f"{name} @ {frame.time}", to_image(frame.levels))
        except BrokenVideoError as error:
            yield Unreadable(name, str(error))


@dataclass(frozen=True)
class Camera:
    """What a camera sees from now on; frames that nobody had time for are left out."""

    index: int
    sampling: Sampling

    def count(self) -> None:
        """Return None: it sees until it is stopped."""

    def questions(self) -> Iterator[Question]:
        """Yield the newest frame, again and again."""
        from training.video.camera import watch_camera
        from training.video.opencv import to_image

        takes = self.sampling.start()
        with watch_camera(self.index) as newest:
            for number, frame in enumerate(newest.frames()):
                if takes(number, frame.seconds):
                    name = f"camera {self.index} @ {frame.time}"
                    yield Frame(name, to_image(frame.levels))


def read_sources(words: Sequence[str], sampling: Sampling) -> list[Source]:
    """Say what each word of the command line stands for.

    Args:
        words: Images, folders, globs, videos, and numbers of cameras.
        sampling: Which frames of a video or a camera are taken.

    Raises:
        TrainingError: There is no such file; a folder has no images; there are frames, but
            OpenCV is not installed.
    """
    return [source for word in words for source in _read(word, sampling)]


def count_questions(sources: Sequence[Source]) -> int | None:
    """Return about how many questions the sources have; None where one does not end."""
    total = 0
    for source in sources:
        count = source.count()
        if count is None:
            return None
        total += count
    return total


def _read(word: str, sampling: Sampling) -> list[Source]:
    path = Path(word)
    if path.exists():
        return [_of_path(path, sampling)]
    if word.isdecimal():
        return [Camera(int(word), sampling)]
    # Path.glob takes no absolute pattern.
    found = [Path(name) for name in sorted(glob.glob(word, recursive=True))]  # noqa: PTH207
    if "**" in word:  # it names the folders' files as well
        found = [path for path in found if not path.is_dir()]
    full = [path for path in found if not path.is_dir() or any(Folder(path).questions())]
    if full and len(full) < len(found):
        first = min({*found} - {*full})
        tell(
            f"Left out: {len(found) - len(full):,} of {word} are folders without images ({first})."
        )
        found = full
    if not found:
        raise TrainingError(
            f"There is no {word}. Give images, folders, patterns ('photos/**/*.jpg'), videos, or "
            "the number of a camera."
        )
    return [_of_path(path, sampling) for path in found]


def _of_path(path: Path, sampling: Sampling) -> Source:
    if path.is_dir():
        return _folder(path)
    if is_special(path):
        return NoFile(path)
    return Video(path, sampling) if path.suffix.lower() in VIDEO_SUFFIXES else SingleFile(path)


def _folder(path: Path) -> Folder:
    left_out = LeftOut()
    if not sum(1 for _ in walk_images(path, left_out)):
        raise TrainingError(
            f"{path} has no images: no name in it ends in {', '.join(SUFFIXES)}. "
            "Name files one by one (FOLDER/*) to have them opened all the same."
        )
    if said := str(left_out):
        tell(f"{path}: {said}")
    return Folder(path)
