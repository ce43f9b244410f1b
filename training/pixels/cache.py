"""Decoded pictures kept from run to run: one flat file of levels, found by what is in it.

A folder ``<cache>/<key>/`` holds ``levels.u8`` (the pictures one after the other, uint8
[H, W, 3] each) and ``index.json`` (their heights and widths, and which files could not be
decoded). The key is a sha256 over the files' own digests, the picture operations and the decoder,
so that a changed image, operation or Pillow never meets old pixels. A folder gets its name only
when it is whole; of processes and runs that need the same one, the first builds it and the others
wait. It does not grow without end: see ``cache_room.make_room``.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import IO, Protocol

import numpy as np
from PIL import __version__ as pillow_version
from PIL import features

from model_loader import image, limits, operations
from model_loader.operations import ImageOp
from training.errors import TrainingError
from training.files.atomic import HiddenFolder, remove_stale
from training.files.locks import alone, hold
from training.output.progress import console
from training.pixels.cache_room import make_room, touch
from training.pixels.levels import Levels, Pictures, map_levels

_LEVELS, _INDEX, _LOCK = "levels.u8", "index.json", ".lock"
_UNFINISHED = ".unfinished-"

DECODER = (
    limits,
    operations,
    *(import_module(f"{image.__name__}.{part.name}") for part in iter_modules(image.__path__)),
)
"""The modules whose code makes a picture of a file."""


class Store(Protocol):
    """A place that keeps pictures by key."""

    def get(self, key: str) -> Pictures | None:
        """Return what is kept under a key."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Keep other processes from building, as long as this one does."""
        ...

    def writer(self) -> Writer:
        """Return what takes new pictures."""
        ...

    def make_room(self, needed: int) -> None:
        """Drop what is old, for so many bytes of new pictures."""
        ...

    def free_bytes(self) -> int | None:
        """Return how many bytes there is room for, or None where that is not known."""
        ...


class Writer(Protocol):
    """Takes the pictures of one key, then keeps them."""

    def write(self, levels: Levels) -> None:
        """Add the levels of one picture."""
        ...

    def finish(self, key: str, sizes: list[tuple[int, int]], problems: Mapping[int, str]) -> None:
        """Keep all that was written."""
        ...

    def discard(self) -> None:
        """Throw away what is unfinished; without effect after ``finish``."""
        ...


class Memory:
    """Keeps pictures as long as the process lives."""

    def __init__(self) -> None:
        """Begin empty."""
        self.kept: dict[str, Pictures] = {}

    def get(self, key: str) -> Pictures | None:
        """Return what is kept under a key."""
        return self.kept.get(key)

    def alone(self) -> AbstractContextManager[None]:
        """Do nothing: nobody else sees this memory."""
        return nullcontext()

    def writer(self) -> Writer:
        """Return what takes new pictures."""
        return _MemoryWriter(self)

    def make_room(self, needed: int) -> None:
        """Do nothing: there is nothing old."""

    def free_bytes(self) -> int | None:
        """Return the memory that Linux calls available; other systems are not asked."""
        try:
            lines = Path("/proc/meminfo").read_text().splitlines()
        except OSError:
            return None
        return next((int(x.split()[1]) << 10 for x in lines if x.startswith("MemAvail")), None)

    def __str__(self) -> str:
        """Name the place."""
        return "in memory"


class _MemoryWriter:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._levels = bytearray()

    def write(self, levels: Levels) -> None:
        self._levels += levels.tobytes()

    def finish(self, key: str, sizes: list[tuple[int, int]], problems: Mapping[int, str]) -> None:
        levels = np.frombuffer(self._levels, dtype=np.uint8)
        self._memory.kept[key] = Pictures(levels, sizes, problems)

    def discard(self) -> None:
        pass


class Folder:
    """Keeps pictures below a folder, memory-mapped, for later runs too."""

    def __init__(self, path: Path) -> None:
        """Make the folder, and remove what runs that were killed left there.

        Raises:
            TrainingError: The folder cannot be made.
        """
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            remove_stale(path, _UNFINISHED)
        except OSError as error:
            raise _cannot_write(path, error) from error

    def get(self, key: str) -> Pictures | None:
        """Return what is kept under a key; a folder that is not whole is removed."""
        folder = self.path / key
        try:
            index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
            problems = {int(number): reason for number, reason in index["problems"].items()}
            path = folder / _LEVELS
            pictures = Pictures(map_levels(path), index["sizes"], problems, path)
            hold(folder / _INDEX, pictures)
            touch(folder / _INDEX)
            return pictures
        except FileNotFoundError:
            if not folder.exists():
                return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # damaged or cut short by a copy: built again below
        shutil.rmtree(folder, ignore_errors=True)
        return None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from building here, as long as this one does.

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
        said = f"Waiting for another process that decodes into {self.path}"
        console.print(said, soft_wrap=True)

    def writer(self) -> Writer:
        """Return what takes new pictures."""
        return _FolderWriter(self.path)

    def make_room(self, needed: int) -> None:
        """Drop what no running process uses, the least recently used first."""
        make_room(self.path, _INDEX, needed)

    def free_bytes(self) -> int | None:
        """Return the free space of the disk."""
        return shutil.disk_usage(self.path).free

    def __str__(self) -> str:
        """Name the place."""
        return f"at {self.path}"


class _FolderWriter:
    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._file: IO[bytes] | None = None
        try:
            self._unfinished = HiddenFolder(cache, _UNFINISHED)
            self._folder = self._unfinished.path
        except OSError as error:
            raise _cannot_write(cache, error) from error
        try:
            self._file = (self._folder / _LEVELS).open("wb")
        except OSError as error:
            self._unfinished.remove()
            raise _cannot_write(cache, error) from error

    def write(self, levels: Levels) -> None:
        assert self._file is not None
        try:
            self._file.write(np.ascontiguousarray(levels).data)
        except OSError as error:
            raise _cannot_write(self._cache, error) from error

    def finish(self, key: str, sizes: list[tuple[int, int]], problems: Mapping[int, str]) -> None:
        assert self._file is not None
        index = {"sizes": sizes, "problems": {str(i): reason for i, reason in problems.items()}}
        try:
            self._file.close()
            (self._folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")
            self._folder.chmod(0o755)
            try:
                self._folder.rename(self._cache / key)
            except OSError:
                if not (self._cache / key / _INDEX).is_file():
                    raise  # else another run was faster, with the same pixels
        except OSError as error:
            raise _cannot_write(self._cache, error) from error

    def discard(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk, again: what is left cannot be flushed
                self._file.close()
        self._unfinished.remove()


def cache_key(digests: Sequence[str], ops: Sequence[ImageOp]) -> str:
    """Return the key of these files' pictures after these operations, decoded by this code."""
    content = {
        "decoder": decoder_version(),
        "ops": [{"op": op.op, **asdict(op)} for op in ops],
        "files": list(digests),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def decoder_version() -> dict[str, str | None]:
    """Return what the levels of a decoded picture depend on, besides the file: code and codecs."""
    code = "\0".join(map(inspect.getsource, DECODER)).encode()
    codecs = {name: features.version(name) for name in ("jpg", "zlib", "webp", "libtiff")}
    return {"code": hashlib.sha256(code).hexdigest(), "pillow": pillow_version, **codecs}


def _cannot_write(cache: Path, error: OSError) -> TrainingError:
    return TrainingError(
        f"The cache {cache} cannot be written: {error.strerror}. Free some space, or give another "
        "folder: --cache DIR, or --cache none for memory."
    )
