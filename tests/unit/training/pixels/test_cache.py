"""The cache that runs share: where it lies, who uses it, and how it stays within bounds."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.support.pixel_material import kept, load, make, same
from training.errors import TrainingError
from training.pixels.cache import Folder
from training.pixels.cache_folder import choose_cache
from training.pixels.levels import Pictures


@pytest.mark.parametrize(
    ("run", "cache"),
    [
        ("runs/flying-objects/20261121-120000", "runs/.pixels"),
        ("runs/mine", "runs/.pixels"),
        ("somewhere/mine", "somewhere/.pixels"),
    ],
)
def test_runs_share_a_cache_above_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str, cache: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose_cache(None, Path(run)) == choose_cache(None, tmp_path / run) == tmp_path / cache


def test_a_range_test_alone_uses_the_cache_of_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cache = choose_cache(None)
    assert cache is not None
    assert cache.resolve() == tmp_path / "runs" / ".pixels"


def test_a_user_chooses_a_folder_or_memory(tmp_path: Path) -> None:
    assert choose_cache(str(tmp_path / "c"), Path("runs/1")) == tmp_path / "c"
    assert choose_cache("none", Path("runs/1")) is None


def test_where_the_usual_cache_cannot_be_written_pictures_stay_in_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".pixels").write_text("a file")
    assert choose_cache(None, tmp_path / "run") is None
    assert "Pictures stay in memory. The cache" in capsys.readouterr().err


def add(cache: Path, key: str, used: int) -> None:
    """Keep a picture of 3,000 levels, last used at some time."""
    store = Folder(cache)
    writer = store.writer()
    writer.write(np.zeros((100, 10, 3), dtype=np.uint8))
    writer.finish(key * 64, [(100, 10)], {})
    os.utime(cache / (key * 64) / "index.json", (used, used))


def get(cache: Path, key: str) -> Pictures | None:
    return Folder(cache).get(key * 64)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set how many bytes a disk would have free without what the cache holds."""

    def of(total: int) -> None:
        def usage(path: Path) -> Any:
            used = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            return SimpleNamespace(free=total - used)

        monkeypatch.setattr("shutil.disk_usage", usage)

    return of


def test_the_least_recently_used_make_room_for_new_pictures(tmp_path: Path, disk: Any) -> None:
    for number, key in enumerate("abc"):
        add(tmp_path, key, used=1000 + number)
    assert get(tmp_path, "a") is not None  # the oldest is used again, and let go
    disk(20_000)
    Folder(tmp_path).make_room(3_000)
    assert sorted(name[0] for name in kept(tmp_path)) == ["a", "c"]


def test_what_is_in_use_is_never_dropped(tmp_path: Path, disk: Any) -> None:
    for number, key in enumerate("abc"):
        add(tmp_path, key, used=1000 + number)
    in_use = get(tmp_path, "b")
    os.utime(tmp_path / ("b" * 64) / "index.json", (1, 1))
    disk(10_000)
    Folder(tmp_path).make_room(4_900)
    assert [name[0] for name in kept(tmp_path)] == ["b"]
    assert in_use is not None
    del in_use
    Folder(tmp_path).make_room(4_900)
    assert kept(tmp_path) == []


def test_nothing_is_dropped_for_pictures_that_would_not_fit_even_then(
    tmp_path: Path, disk: Any
) -> None:
    add(tmp_path, "a", used=1000)
    (tmp_path / "a folder of the user's").mkdir()
    disk(10_000)
    Folder(tmp_path).make_room(6_000)
    assert len(kept(tmp_path)) == 2


def test_a_folder_of_the_users_own_in_the_cache_is_never_dropped(tmp_path: Path, disk: Any) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.json").write_text("{}")
    disk(10_000)
    Folder(tmp_path).make_room(5_000)
    assert kept(tmp_path) == ["mine"]


def test_new_pictures_push_old_ones_out(tmp_path: Path, disk: Any) -> None:
    table, cache = make(tmp_path / "data"), tmp_path / "cache"
    cache.mkdir()
    add(cache, "a", used=1000)
    disk(75_000)  # 24 pictures of 20 × 24 are 34,560 levels: they fit, but not beside the old one
    images = load(table, cache=cache)
    assert len(kept(cache)) == 1
    assert get(cache, "a") is None
    assert same(images, load(table, cache=cache))


def test_a_cache_that_may_only_be_read_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, cache = make(tmp_path / "data"), tmp_path / "cache"
    first = load(table, cache=cache)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(Folder, "alone", refuse)
    assert same(first, load(table, cache=cache))


def test_a_cache_whose_lock_cannot_be_made_is_named(tmp_path: Path) -> None:
    table, cache = make(tmp_path / "data"), tmp_path / "cache"
    (cache / ".lock").mkdir(parents=True)
    with pytest.raises(TrainingError, match=r"cache .*cache cannot be written.*--cache none"):
        load(table, cache=cache)
