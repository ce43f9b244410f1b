"""From image files to kept pictures: each file is decoded once, by a thread for each core."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from model_loader import EncodedImage, InputError
from model_loader.operations import ImageOp, apply_ops, needed_size
from training.data.contents import Content, Skips, in_threads, unreadable
from training.data.table import LabelledImage
from training.errors import TrainingError
from training.output.progress import console, progress
from training.pixels.cache import Folder, Memory, Store, Writer, cache_key
from training.pixels.cache_room import LARGEST_SHARE
from training.pixels.levels import Levels, Pictures

Ops = tuple[ImageOp, ...]


class PictureList(Protocol):
    """Pictures by index, uint8 [H, W, 3] each."""

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """The (height, width) of each."""
        ...

    def __len__(self) -> int:
        """Return the number of pictures."""
        ...

    def __getitem__(self, index: int) -> Levels:
        """Return one picture."""
        ...


def read_image(path: Path, ops: Ops = ()) -> Image.Image:
    """Decode an image file to an upright RGB picture, no larger than the operations need it.

    Raises:
        TrainingError: It cannot be read or decoded.
    """
    try:
        encoded = EncodedImage.read(path.read_bytes())
        return encoded.decode(needed_size(ops, *encoded.size))
    except OSError as error:
        raise TrainingError(f"The image {path} cannot be read: {error.strerror}.") from error
    except InputError as error:
        raise TrainingError(f"The image {path} cannot be used. {error}") from error


class _OnDemand:
    """Pictures that are decoded each time they are asked for."""

    def __init__(
        self, root: Path, files: Sequence[str], ops: Ops, sizes: list[tuple[int, int]]
    ) -> None:
        self.sizes = sizes
        self._root = root
        self._files = files
        self._ops = ops

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Levels:
        try:
            image = read_image(self._root / self._files[index], self._ops)
        except TrainingError as error:
            raise TrainingError(
                f"{error} It was there when the run began: put it back and go on with --resume, or "
                "train anew without it."
            ) from error
        return np.asarray(apply_ops(self._ops, image))


def load_pictures(
    root: Path,
    rows: list[LabelledImage],
    contents: Mapping[str, Content],
    ops_lists: list[Ops],
    title: str,
    cache: Path | None,
    skips: Skips,
) -> tuple[list[LabelledImage], list[PictureList]]:
    """Decode images once, and keep what each list of picture operations makes of them.

    Args:
        root: The data folder.
        rows: The images.
        contents: What each of their files holds.
        ops_lists: Different lists of picture operations.
        title: What the progress bar says.
        cache: The folder that keeps the pictures; None for memory.
        skips: Takes the images that cannot be used.

    Returns:
        The images that can be used, and their pictures after each list of operations.

    Raises:
        TrainingError: Too many images cannot be used, or the cache cannot be written.
    """
    store: Store = Memory() if cache is None else Folder(cache)
    found = _find(store, rows, contents, ops_lists)
    if None in found:
        with store.alone():  # of several processes the others find the first one's pictures
            found = _find(store, rows, contents, ops_lists)
            while None in found:
                missing = [ops for ops, its in zip(ops_lists, found, strict=True) if its is None]
                if not _fits(store, [contents[row.file] for row in rows], missing, title):
                    break
                # What disappears while it is decoded is not among the rows of the next round, which
                # finds the pictures of the others under their own key.
                rows = _build(root, rows, contents, missing, title, store, skips)
                found = _find(store, rows, contents, ops_lists)
    pictures = [each for each in found if each is not None]
    if len(pictures) < len(ops_lists):
        return _decode_on_demand(root, rows, ops_lists, title, skips)
    for number, reason in pictures[0].problems.items():
        skips.add(rows[number].file, reason)
    skips.check()
    kept = [row for number, row in enumerate(rows) if number not in pictures[0].problems]
    return kept, [*pictures]


def _find(
    store: Store,
    rows: list[LabelledImage],
    contents: Mapping[str, Content],
    ops_lists: list[Ops],
) -> list[Pictures | None]:
    digests = [contents[row.file].sha256 for row in rows]
    return [store.get(cache_key(digests, ops)) for ops in ops_lists]


def _fits(store: Store, contents: list[Content], ops_lists: list[Ops], title: str) -> bool:
    needed = 0
    for content in contents:
        for ops in ops_lists:
            size = (content.width, content.height)
            if min(size):
                for op in ops:
                    size = op.output_size(*size)
            needed += size[0] * size[1] * 3
    store.make_room(needed)
    free = store.free_bytes()
    if free is None or needed <= free * LARGEST_SHARE:
        return True
    console.print(
        f"{title}: {needed / 1e9:,.1f} GB of decoded pictures are more than {LARGEST_SHARE:.0%} of "
        f"the {free / 1e9:,.1f} GB free {store}; each image is decoded each time it is asked for, "
        "which is slower. Free some space, or keep the cache elsewhere: --cache DIR.",
        soft_wrap=True,
    )
    return False


def _build(
    root: Path,
    rows: list[LabelledImage],
    contents: Mapping[str, Content],
    ops_lists: list[Ops],
    title: str,
    store: Store,
    skips: Skips,
) -> list[LabelledImage]:
    """Decode each image once and keep its pictures; return the images that were still there."""
    here: list[LabelledImage] = []
    problems: dict[int, str] = {}
    sizes: list[list[tuple[int, int]]] = [[] for _ in ops_lists]

    def decode(row: LabelledImage) -> list[Levels] | InputError | str:
        return _decode(root / row.file, ops_lists, contents[row.file].sha256)

    writers: list[Writer] = []
    try:
        for _ in ops_lists:
            writers.append(store.writer())
        with progress(title, len(rows)) as advance:
            for row, result in zip(rows, in_threads(decode, rows), strict=True):
                if isinstance(result, str):
                    skips.add(row.file, result)
                else:
                    here.append(row)
                if isinstance(result, InputError):
                    problems[len(here) - 1] = str(result)
                elif not isinstance(result, str):
                    for writer, levels, its in zip(writers, result, sizes, strict=True):
                        writer.write(levels)
                        its.append(_size(levels))
                advance("")
        digests = [contents[row.file].sha256 for row in here]
        for writer, ops, its in zip(writers, ops_lists, sizes, strict=True):
            writer.finish(cache_key(digests, ops), its, problems)
    finally:
        for writer in writers:
            writer.discard()
    return here


def _decode_on_demand(
    root: Path, rows: list[LabelledImage], ops_lists: list[Ops], title: str, skips: Skips
) -> tuple[list[LabelledImage], list[PictureList]]:
    found = decoded_sizes(root, rows, ops_lists, title, skips)
    skips.check()
    kept = [row for row, sizes in zip(rows, found, strict=True) if sizes]
    files = [row.file for row in kept]
    by_ops = zip(*(sizes for sizes in found if sizes), strict=True)
    return kept, [
        _OnDemand(root, files, ops, list(sizes))
        for ops, sizes in zip(ops_lists, by_ops, strict=True)
    ]


def decoded_sizes(
    root: Path, rows: Sequence[LabelledImage], ops_lists: Sequence[Ops], title: str, skips: Skips
) -> list[list[tuple[int, int]] | None]:
    """Return the sizes of each image after each list of operations, None for one to be skipped."""

    def decode(row: LabelledImage) -> list[tuple[int, int]] | str:
        result = _decode(root / row.file, ops_lists or [()])
        return str(result) if isinstance(result, str | InputError) else [*map(_size, result)]

    found: list[list[tuple[int, int]] | None] = []
    with progress(title, len(rows)) as advance:
        for row, result in zip(rows, in_threads(decode, rows), strict=True):
            if isinstance(result, str):
                skips.add(row.file, result)
            found.append(None if isinstance(result, str) else result)
            advance("")
    return found


def _decode(
    path: Path, ops_lists: Sequence[Ops], sha256: str | None = None
) -> list[Levels] | InputError | str:
    """Return a file's pictures; why its content cannot be used; or why it is not there any more."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return unreadable(error)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        return "it was changed while it was read."
    try:
        return _pictures(data, ops_lists)
    except InputError as error:
        return error


def _pictures(data: bytes, ops_lists: Sequence[Ops]) -> list[Levels]:
    """Return what each list makes of a file, which is decoded once for all that need one size."""
    encoded = EncodedImage.read(data)
    return [
        np.asarray(apply_ops(ops, encoded.decode(needed_size(ops, *encoded.size))))
        for ops in ops_lists
    ]


def _size(levels: Levels) -> tuple[int, int]:
    height, width = levels.shape[:2]
    return height, width
