"""A cache of decoded images that runs share: one flat file of levels, found by its content.

A folder ``<cache>/<key>/`` holds ``levels.u8`` (the images one after the other, uint8 [H, W, 3]
each) and ``index.json`` (their heights and widths, and which files could not be decoded). The key
is a sha256 over the files' own digests, the image operations and the decoder, so that a changed
file, operation or Pillow never meets old pixels. A folder gets its name only when it is whole; of
processes and runs that need the same one, the first builds it and the others wait. Its size is
bounded: see ``cache_room.make_room``.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
from PIL import __version__ as pillow_version
from PIL import features

from model_loader import image, limits, operations
from model_loader.image.formats import FORMATS
from model_loader.operations import ImageOp
from training.errors import TrainingError
from training.files.atomic import HiddenFolder, remove_stale
from training.files.locks import alone, hold
from training.output.progress import say
from training.pixels.cache_room import make_room, touch
from training.pixels.images import CachedImages, Levels, Sizes

NO_CACHE = "none"
"""The value of ``--cache`` that asks for a temporary folder."""

LEVELS = "levels.u8"
"""The file of an entry that holds its images."""

_RUNS, _PIXELS = "runs", ".pixels"
_INDEX, _LOCK = "index.json", ".lock"
_UNFINISHED = ".unfinished-"

DECODER = (
    limits,
    operations,
    *(import_module(f"{image.__name__}.{part.name}") for part in iter_modules(image.__path__)),
)
"""The modules whose code makes an image of a file."""


def check_cache(given: str | None) -> None:
    """Check the folder that a user gave, before any work is done.

    Raises:
        TrainingError: It cannot be made.
    """
    if given not in (None, NO_CACHE):
        PixelCache(Path(str(given)))


def choose_cache(given: str | None, run: Path | None = None) -> PixelCache:
    """Return the cache of a run.

    Args:
        given: A folder that the user chose, or ``none`` for a temporary one. Without it, all runs
            below a folder ``runs`` share its ``.pixels``, and a run elsewhere has one beside it;
            if that cannot be written, a line says so, and a temporary folder is used.
        run: The run's folder; None for ``runs/.pixels``.

    Raises:
        TrainingError: The folder that the user chose cannot be made.
    """
    if given is not None:
        return PixelCache(None if given == NO_CACHE else Path(given))
    shared = Path(_RUNS)
    if run is not None:
        parents = run.absolute().parents
        shared = next((folder for folder in parents if folder.name == _RUNS), parents[0])
    try:
        return PixelCache(shared / _PIXELS)
    except TrainingError as error:
        say(f"Decoded images go to a temporary folder. {error}")
        return PixelCache()


class PixelCache:
    """A folder of decoded images.

    Attributes:
        path: The folder.
        is_temporary: Whether it is removed when nothing uses it any more.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Make the folder, None for a temporary one, and remove what killed runs left there.

        Raises:
            TrainingError: The folder cannot be made.
        """
        self.is_temporary = path is None
        self.path = path or Path(tempfile.gettempdir())
        try:
            if path is None:
                folder = HiddenFolder(self.path, f"{_PIXELS}-")
                weakref.finalize(self, folder.remove)
                self.path = folder.path
            self.path.mkdir(parents=True, exist_ok=True)
            remove_stale(self.path, _UNFINISHED)
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def get(self, key: str) -> CachedImages | None:
        """Return the images of a key; a folder that is not whole is removed."""
        folder = self.path / key
        try:
            index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
            problems = {int(number): reason for number, reason in index["problems"].items()}
            images = CachedImages(folder / LEVELS, index["sizes"], problems, owner=self)
            hold(folder / _INDEX, images)
            touch(folder / _INDEX)
            return images
        except FileNotFoundError:
            if not folder.exists():
                return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # damaged or cut short by a copy: built again
        shutil.rmtree(folder, ignore_errors=True)
        return None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from building here within this context.

        Raises:
            TrainingError: The folder cannot be written.
        """
        with ExitStack() as inside:
            try:
                inside.enter_context(alone(self.path / _LOCK, self._waits))
            except OSError as error:
                raise _cannot_write(self.path, error) from error
            yield

    def _waits(self) -> None:
        say(f"Waiting for another process that decodes into {self.path}")

    def make_room(self, needed: int) -> None:
        """Drop what no running process uses, the least recently used first."""
        make_room(self.path, _INDEX, needed)

    def free_bytes(self) -> int:
        """Return the free space of the disk."""
        return shutil.disk_usage(self.path).free


class CacheWriter:
    """Writes the images of one key."""

    def __init__(self, cache: Path) -> None:
        """Begin an unfinished folder in a cache.

        Raises:
            TrainingError: It cannot be written, as in every method.
        """
        self._cache = cache
        with self._writing():
            self._unfinished = HiddenFolder(cache, _UNFINISHED)
            self._folder = self._unfinished.path
            try:
                self._file = (self._folder / LEVELS).open("wb")
            except OSError:
                self._unfinished.remove()
                raise

    def write(self, levels: Levels) -> None:
        """Add one image."""
        with self._writing():
            self._file.write(np.ascontiguousarray(levels).data)

    def finish(self, key: str, sizes: Sizes, problems: Mapping[int, str]) -> None:
        """Give the folder its name."""
        index = {"sizes": sizes, "problems": {str(i): reason for i, reason in problems.items()}}
        with self._writing():
            self._file.close()
            (self._folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")
            self._folder.chmod(0o755)
            try:
                self._folder.rename(self._cache / key)
            except OSError:
                if not (self._cache / key / _INDEX).is_file():
                    raise  # else another run was faster, with the same pixels

    def discard(self) -> None:
        """Remove what is unfinished; without effect after ``finish``."""
        with suppress(OSError):  # a full disk, again: the rest cannot be flushed
            self._file.close()
        self._unfinished.remove()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _cannot_write(self._cache, error) from error


def cache_key(digests: Sequence[str], ops: Sequence[ImageOp]) -> str:
    """Return the key of these files' images after these operations, decoded by this code."""
    content = {
        "decoder": decoder_version(),
        "ops": [{"op": op.op, **asdict(op)} for op in ops],
        "files": list(digests),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def decoder_version() -> dict[str, str | None]:
    """Return what decoded levels depend on besides the file: code and codecs."""
    code = "\0".join(map(inspect.getsource, DECODER)).encode()
    used = [known.codec for known in FORMATS.values() if known.codec is not None]
    codecs = {codec: features.version(codec) for codec in used}
    return {"code": hashlib.sha256(code).hexdigest(), "pillow": pillow_version, **codecs}


def _cannot_write(cache: Path, error: OSError) -> TrainingError:
    return TrainingError(
        f"The cache {cache} cannot be written: {error.strerror}. Free some space, or give another "
        "folder: --cache DIR, or --cache none for a temporary one."
    )
