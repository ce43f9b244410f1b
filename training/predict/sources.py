"""Questions from the command line's arguments: files, folders, globs, videos, cameras.

Nothing is read before its turn, so that memory does not grow with the number of images.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
"""Suffixes of video files."""


@dataclass(frozen=True)
class Source:
    """One argument of the command line.

    Attributes:
        count: Returns about how many questions there are; None where they do not end.
        questions: Yields the questions, each read when it is asked for.
    """

    count: Callable[[], int | None]
    questions: Callable[[], Iterator[Question]]


def read_sources(words: Sequence[str], sampling: Sampling) -> list[Source]:
    """Resolve each argument of the command line.

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
    counts = [source.count() for source in sources]
    return None if None in counts else sum(count or 0 for count in counts)


def _read(word: str, sampling: Sampling) -> list[Source]:
    path = Path(word)
    if path.exists():
        return [_of_path(path, sampling)]
    if word.isdecimal():
        return [_camera(int(word), sampling)]
    # Path.glob takes no absolute pattern.
    found = [Path(name) for name in sorted(glob.glob(word, recursive=True))]  # noqa: PTH207
    if "**" in word:  # it names the folders' files as well
        found = [path for path in found if not path.is_dir()]
    full = [path for path in found if not path.is_dir() or any(walk_images(path))]
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
    if is_special(path):  # reading one might never end
        return _one(Unreadable(printable(path), "It is a pipe, socket or device, not a file."))
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return _video(path, sampling)
    return _one(ImageFile(path))  # what it holds decides, whatever its name ends in


def _one(question: Question) -> Source:
    return Source(lambda: 1, lambda: iter([question]))


def _folder(path: Path) -> Source:
    left_out = LeftOut()
    if not sum(1 for _ in walk_images(path, left_out)):
        raise TrainingError(
            f"{path} has no images: no name in it ends in {', '.join(SUFFIXES)}. "
            "Name files one by one (FOLDER/*) to have them opened all the same."
        )
    if message := str(left_out):
        tell(f"{path}: {message}")
    return Source(
        lambda: sum(1 for _ in walk_images(path)),
        lambda: (ImageFile(path / name) for name in walk_images(path)),
    )


def _video(path: Path, sampling: Sampling) -> Source:
    """Return a video's frames; where there are none, one question without an answer."""
    from training.video.clip import BrokenVideoError, count_frames, read_clip
    from training.video.opencv import to_image

    def questions() -> Iterator[Question]:
        name = printable(path)
        try:
            for frame in read_clip(path, sampling):
                yield Frame(f"{name} @ {frame.time}", to_image(frame.levels))
        except BrokenVideoError as error:
            yield Unreadable(name, str(error))

    return Source(lambda: count_frames(path, sampling), questions)


def _camera(index: int, sampling: Sampling) -> Source:
    """Return the newest frame of a camera, again and again; late frames are left out."""
    from training.video.camera import watch_camera
    from training.video.opencv import to_image

    def questions() -> Iterator[Question]:
        takes = sampling.start()
        with watch_camera(index) as newest:
            for number, frame in enumerate(newest.frames()):
                if takes(number, frame.seconds):
                    yield Frame(f"camera {index} @ {frame.time}", to_image(frame.levels))

    return Source(lambda: None, questions)
