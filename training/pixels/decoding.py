"""From image files to cached images: each file is decoded once, by a thread for each core."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from model_loader import EncodedImage, InputError
from model_loader.operations import apply_ops, needed_size
from training.data.contents import Content, Skips, unreadable
from training.data.table import LabelledImage
from training.output.progress import console, progress
from training.parallel import in_threads
from training.pixels.cache import CacheWriter, PixelCache, cache_key
from training.pixels.cache_room import LARGEST_SHARE
from training.pixels.images import CachedImages, Levels, OnDemandImages, Ops


def decode_images(
    root: Path,
    rows: list[LabelledImage],
    contents: Mapping[str, Content],
    ops_lists: list[Ops],
    title: str,
    cache: PixelCache,
    skips: Skips,
) -> tuple[list[LabelledImage], Sequence[CachedImages | OnDemandImages]]:
    """Decode images once, and cache the result of each list of image operations.

    If the result does not fit, a line says so, and images are decoded on demand.

    Returns:
        The rows that can be used, and their images after each list of operations.

    Raises:
        TrainingError: Too many images cannot be used, or the cache cannot be written.
    """
    found = _find(cache, rows, contents, ops_lists)
    if None in found:
        with cache.alone():  # of several processes the others find the first one's images
            found = _find(cache, rows, contents, ops_lists)
            while None in found:
                missing = [ops for ops, its in zip(ops_lists, found, strict=True) if its is None]
                if not _fits(cache, [contents[row.file] for row in rows], missing, title):
                    break
                # What disappears while it is decoded is not among the rows of the next round, which
                # finds the images of the others under their own key.
                rows = _build(root, rows, contents, missing, title, cache, skips)
                found = _find(cache, rows, contents, ops_lists)
    images = [each for each in found if each is not None]
    if len(images) < len(ops_lists):
        return _decode_on_demand(root, rows, ops_lists, title, skips)
    problems = images[0].problems
    for number, reason in problems.items():
        skips.add(rows[number].file, reason)
    skips.check()
    return [row for number, row in enumerate(rows) if number not in problems], images


def _find(
    cache: PixelCache,
    rows: list[LabelledImage],
    contents: Mapping[str, Content],
    ops_lists: list[Ops],
) -> list[CachedImages | None]:
    digests = [contents[row.file].sha256 for row in rows]
    return [cache.get(cache_key(digests, ops)) for ops in ops_lists]


def _fits(cache: PixelCache, contents: list[Content], ops_lists: list[Ops], title: str) -> bool:
    needed = 0
    for content in contents:
        for ops in ops_lists:
            size = (content.width, content.height)
            if min(size):
                for op in ops:
                    size = op.output_size(*size)
            needed += size[0] * size[1] * 3
    cache.make_room(needed)
    free = cache.free_bytes()
    if needed <= free * LARGEST_SHARE:
        return True
    console.print(
        f"{title}: {needed / 1e9:,.1f} GB of decoded images are more than {LARGEST_SHARE:.0%} of "
        f"the {free / 1e9:,.1f} GB free at {cache.path}; each image is decoded each time it is "
        "asked for, which is slower. Free some space, or keep the cache elsewhere: --cache DIR.",
        soft_wrap=True,
    )
    return False


def _build(
    root: Path,
    rows: list[LabelledImage],
    contents: Mapping[str, Content],
    ops_lists: list[Ops],
    title: str,
    cache: PixelCache,
    skips: Skips,
) -> list[LabelledImage]:
    """Decode and cache each image once; return the images that were still there."""
    here: list[LabelledImage] = []
    problems: dict[int, str] = {}
    sizes: list[list[tuple[int, int]]] = [[] for _ in ops_lists]

    def decode(row: LabelledImage) -> list[Levels] | InputError | str:
        return _decode(root / row.file, ops_lists, contents[row.file].sha256)

    writers: list[CacheWriter] = []
    try:
        for _ in ops_lists:
            writers.append(CacheWriter(cache.path))
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
) -> tuple[list[LabelledImage], Sequence[OnDemandImages]]:
    found = decoded_sizes(root, rows, ops_lists, title, skips)
    skips.check()
    usable = [row for row, sizes in zip(rows, found, strict=True) if sizes]
    files = [row.file for row in usable]
    by_ops = zip(*(sizes for sizes in found if sizes), strict=True)
    return usable, [
        OnDemandImages(root, files, ops, sizes)
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
    """Return a file's images; why its content cannot be used; or why it is not there any more."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return unreadable(error)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        return "it was changed while it was read."
    try:
        encoded = EncodedImage.read(data)
        return [
            np.asarray(apply_ops(ops, encoded.decode(needed_size(ops, *encoded.size))))
            for ops in ops_lists
        ]
    except InputError as error:
        return error


def _size(levels: Levels) -> tuple[int, int]:
    height, width = levels.shape[:2]
    return height, width
