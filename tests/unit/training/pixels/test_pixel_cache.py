"""The cache of decoded pictures: what it depends on, and what may go wrong with it."""

from __future__ import annotations

import inspect
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_loader import Resize, Transform
from model_loader.operations import ImageOp
from tests.support.images import encode, noise
from tests.support.pixel_material import NORMALIZE, SQUASH, kept, load, make, same
from training.data.table import ImageTable, read_folder
from training.errors import TrainingError
from training.pixels import cache as pixel_cache
from training.pixels import decoding
from training.pixels.cache import DECODER, CacheWriter, PixelCache, cache_key


def test_a_later_run_decodes_nothing(tmp_path: Path, decoded: list[int]) -> None:
    table = make(tmp_path / "data")
    first = load(table, cache=tmp_path / "cache")
    assert len(decoded) == len(table.rows)
    again = load(table, cache=tmp_path / "cache")
    assert len(decoded) == len(table.rows)
    assert same(first, again)


@pytest.mark.parametrize("change", ["content", "operation", "order", "decoder"])
def test_what_changes_the_pixels_changes_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[int], change: str
) -> None:
    table, cache = make(tmp_path / "data"), tmp_path / "cache"
    load(table, cache=cache)
    transform = SQUASH
    if change == "content":
        picture = encode(noise(30, 30, 99), "PNG")
        (table.root / table.rows[3].file).write_bytes(picture)
    elif change == "operation":
        transform = Transform((Resize(20, 25),), NORMALIZE)
    elif change == "order":
        table = ImageTable(table.root, table.labels, table.rows[::-1])
    else:
        monkeypatch.setattr(pixel_cache, "pillow_version", "1.2.3")
    again = load(table, transform, cache=cache)
    assert len(decoded) == 2 * len(table.rows)
    assert same(again, load(table, transform))


def test_names_do_not_change_the_key(tmp_path: Path, decoded: list[int]) -> None:
    table = make(tmp_path / "data")
    load(table, cache=tmp_path / "cache")
    (tmp_path / "data").rename(tmp_path / "moved")
    load(read_folder(tmp_path / "moved"), cache=tmp_path / "cache")
    assert len(decoded) == len(table.rows)


@pytest.mark.parametrize("damage", ["levels cut", "index cut", "index gone", "levels gone"])
def test_a_cache_that_is_not_whole_is_built_again(
    tmp_path: Path, decoded: list[int], damage: str
) -> None:
    table, cache = make(tmp_path / "data"), tmp_path / "cache"
    first = load(table)
    load(table, cache=cache)
    decoded.clear()
    (folder,) = kept(cache)
    name, how = damage.split()
    file = cache / folder / {"levels": "levels.u8", "index": "index.json"}[name]
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-3])
    assert same(load(table, cache=cache), first)
    assert len(decoded) == len(table.rows)


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, cache = make(tmp_path / "data"), tmp_path / "cache"

    def stop(path: Path, ops_lists: Any, digest: str | None = None) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(decoding, "_decode", stop)
        with pytest.raises(KeyboardInterrupt):
            load(table, cache=cache)
    assert kept(cache) == []
    load(table, cache=cache)


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_writes_stays(
    tmp_path: Path,
) -> None:
    (tmp_path / ".unfinished-left").mkdir()
    writer = CacheWriter(tmp_path)
    PixelCache(tmp_path)
    (living,) = tmp_path.iterdir()
    assert living.name != ".unfinished-left"
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    table = make(tmp_path / "data")
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cache .*file.* cannot be written: .*another folder"):
        load(table, cache=tmp_path / "file" / "cache")


def test_a_full_disk_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, cache = make(tmp_path / "data"), tmp_path / "cache"
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs Linux's /dev/full")

    class Full(CacheWriter):
        def __init__(self, folder: Path) -> None:
            super().__init__(folder)
            self._file.close()
            self._file = full.open("wb")

    monkeypatch.setattr(decoding, "CacheWriter", Full)
    with pytest.raises(TrainingError, match="cannot be written: No space left"):
        load(table, cache=cache)
    assert kept(cache) == []


def test_of_two_processes_that_need_the_same_pictures_one_decodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[int]
) -> None:
    table, cache = make(tmp_path / "data"), tmp_path / "cache"
    waits = threading.Event()

    def begin(folder: Path) -> CacheWriter:
        assert waits.wait(timeout=60)  # until the other one has found the first at work
        return CacheWriter(folder)

    monkeypatch.setattr(decoding, "CacheWriter", begin)
    monkeypatch.setattr(PixelCache, "_waits", lambda _: waits.set())
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(load, table, cache=cache) for _ in range(2)]
        first, second = (run.result(timeout=60) for run in runs)
    assert len(decoded) == len(table.rows)
    assert same(first, second)
    assert same(first, load(table))
    assert len(kept(cache)) == 1


def test_the_second_of_two_builders_takes_the_firsts(tmp_path: Path) -> None:
    cache = PixelCache(tmp_path)
    first, second = CacheWriter(tmp_path), CacheWriter(tmp_path)
    for writer in (first, second):
        writer.write(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    for writer in (first, second):
        writer.finish("key", [(2, 2)], {})
        writer.discard()
    images = cache.get("key")
    assert images is not None
    assert images[0].ravel().tolist() == list(range(12))
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_the_decoder_is_all_that_decoding_imports() -> None:
    here = {module.__name__ for module in DECODER}
    imported = {
        name
        for module in DECODER
        for name in re.findall(
            r"^from (model_loader[\w.]+)", inspect.getsource(module), re.MULTILINE
        )
    }
    assert imported - {"model_loader.errors", "model_loader.image"} <= here


def test_the_key_is_that_of_files_operations_and_decoder() -> None:
    ops: list[ImageOp] = [Resize(3, 4)]
    assert cache_key(["1", "2"], ops) == cache_key(["1", "2"], [Resize(3, 4)])
    keys = {cache_key(*args) for args in ((["1"], ops), (["2"], ops), (["1"], []), ([], ops))}
    assert len(keys) == 4
