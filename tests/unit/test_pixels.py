"""Loading: each image is decoded once and kept; a bad one is named, skipped and counted."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from model_loader import Normalize, Resize, Transform, decode_image
from model_loader.transform import Fit, ImageOp
from tests.images import encode, noise
from training.data import contents as contents_module
from training.data import decoding, pixel_cache
from training.data.contents import Skips, cores, fingerprint, in_threads, read_contents
from training.data.pixel_cache import Folder, cache_key
from training.data.pixels import PixelDataset, check_images, load_pixels, read_image
from training.data.strategies import get_strategy
from training.data.table import ImageTable, LabelledImage, read_folder
from training.data.workers import item_seconds, worker_count
from training.errors import TrainingError

NORMALIZE = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SQUASH = Transform((Resize(20, 24),), NORMALIZE)
VARIABLE = Transform((Fit(16, 900),), NORMALIZE)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is said on standard error."""
    said = io.StringIO()
    console = Console(file=said, width=300)
    for module in (contents_module, decoding):
        monkeypatch.setattr(module, "console", console)
    return said


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of bytes of each file that is decoded."""
    calls: list[int] = []

    def counting(data: bytes) -> Any:
        calls.append(len(data))
        return decode_image(data)

    monkeypatch.setattr(decoding, "decode_image", counting)
    return calls


def make(root: Path, count: int = 24) -> ImageTable:
    """Draw a table of two classes, each picture of its own size."""
    for number in range(count):
        folder = root / ("a b" if number % 2 else "птица")
        folder.mkdir(parents=True, exist_ok=True)
        picture = noise(12 + 3 * number, 100 - 2 * number, number)
        (folder / f"{number:02}.png").write_bytes(encode(picture, "PNG"))
    return read_folder(root)


def load(table: ImageTable, transform: Transform = SQUASH, **options: Any) -> PixelDataset:
    return load_pixels(table.root, table.rows, table.labels, transform, "Reading", **options)


def same(ours: PixelDataset, theirs: PixelDataset) -> bool:
    return len(ours) == len(theirs) and all(
        torch.equal(ours[i][0], theirs[i][0]) and ours[i][1] == theirs[i][1]
        for i in range(len(ours))
    )


def kept(cache: Path) -> list[str]:
    """What a cache holds, finished or not."""
    return [path.name for path in cache.iterdir() if path.name != ".lock"]


@pytest.mark.parametrize("where", ["memory", "folder"])
@pytest.mark.parametrize("transform", [SQUASH, VARIABLE], ids=["squash", "variable"])
def test_an_item_is_what_the_service_makes_of_the_file(
    tmp_path: Path, transform: Transform, where: str
) -> None:
    table = make(tmp_path / "data")
    images = load(table, transform, cache=tmp_path / "cache" if where == "folder" else None)
    assert len(images) == len(table.rows) == len(images.sizes)
    assert images.rows == table.rows
    for number, row in enumerate(table.rows):
        image, label = images[number]
        theirs = transform(decode_image((table.root / row.file).read_bytes()))
        assert image.dtype == torch.float32
        np.testing.assert_array_equal(image.numpy(), theirs)
        assert images.sizes[number] == theirs.shape[1:]
        assert label.dtype == torch.int64
        assert table.labels[label] == row.label


def test_a_later_run_decodes_nothing(tmp_path: Path, decoded: list[int]) -> None:
    table = make(tmp_path / "data")
    first = load(table, cache=tmp_path / "cache")
    assert len(decoded) == len(table.rows)
    again = load(table, cache=tmp_path / "cache")
    assert len(decoded) == len(table.rows)
    assert same(first, again)


def test_training_and_plain_pictures_come_from_one_pass(tmp_path: Path, decoded: list[int]) -> None:
    table = make(tmp_path / "data")
    strategy = get_strategy("squash", 32)
    transform = strategy.transform(NORMALIZE)
    augmentation = strategy.augmentation([])
    options = {"cache": tmp_path / "cache", "train_ops": strategy.train_ops}
    images = load(table, transform, augmentation=augmentation, **options)
    assert len(decoded) == len(table.rows)
    assert set(images.sizes) == {(73, 73)}
    assert set(images.plain.sizes) == {(32, 32)}
    assert images[0][0].shape == (3, 32, 32)
    assert not torch.equal(images[0][0], images[0][0])
    assert torch.equal(images.plain[0][0], images.plain[0][0])
    assert same(images.plain, load(table, transform, cache=tmp_path / "cache"))
    assert len(decoded) == len(table.rows)


def test_augmentation_works_on_levels_before_they_are_normalised(tmp_path: Path) -> None:
    seen = []

    def invert(image: Tensor) -> Tensor:
        seen.append((image.dtype, tuple(image.shape)))
        return image.bitwise_not_()

    images = load(make(tmp_path), augmentation=invert)
    inverted = NORMALIZE(255 - images.plain.picture(3))
    for _ in range(2):  # the second time, too: what is kept was not inverted in place
        np.testing.assert_array_equal(images[3][0].numpy(), inverted)
    assert seen == [(torch.uint8, (3, 20, 24))] * 2


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


def test_what_a_killed_run_left_is_removed_a_day_later(tmp_path: Path) -> None:
    for name, age in (("old", 2 * 86400), ("new", 60)):
        left = tmp_path / f".unfinished-{name}"
        left.mkdir()
        os.utime(left, (time.time() - age,) * 2)
    Folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".unfinished-new"]


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

    class Full(pixel_cache._FolderWriter):
        def __init__(self, folder: Path) -> None:
            super().__init__(folder)
            assert self._file is not None
            self._file.close()
            self._file = full.open("wb")

    monkeypatch.setattr(pixel_cache, "_FolderWriter", Full)
    with pytest.raises(TrainingError, match="cannot be written: No space left"):
        load(table, cache=cache)
    assert kept(cache) == []


def test_of_two_processes_that_need_the_same_pictures_one_decodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[int]
) -> None:
    table, cache = make(tmp_path / "data"), tmp_path / "cache"
    waits = threading.Event()
    writer = Folder.writer

    def begin(self: Folder) -> Any:
        assert waits.wait(timeout=60)  # until the other one has found the first at work
        return writer(self)

    monkeypatch.setattr(Folder, "writer", begin)
    monkeypatch.setattr(Folder, "_waits", lambda _: waits.set())
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(load, table, cache=cache) for _ in range(2)]
        first, second = (run.result(timeout=60) for run in runs)
    assert len(decoded) == len(table.rows)
    assert same(first, second)
    assert same(first, load(table))
    assert len(kept(cache)) == 1


def test_the_second_of_two_builders_takes_the_firsts(tmp_path: Path) -> None:
    store = Folder(tmp_path)
    first, second = store.writer(), store.writer()
    for writer in (first, second):
        writer.write(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    for writer in (first, second):
        writer.finish("key", [(2, 2)], {})
        writer.discard()
    pictures = store.get("key")
    assert pictures is not None
    assert pictures[0].ravel().tolist() == list(range(12))
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("with_cache", [True, False])
def test_pictures_that_do_not_fit_are_decoded_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO, with_cache: bool
) -> None:
    table = make(tmp_path / "data")
    (table.root / table.rows[2].file).write_bytes(b"no image")
    whole = load(table, VARIABLE)
    store = Folder if with_cache else pixel_cache.Memory
    monkeypatch.setattr(store, "free_bytes", lambda self: 20_000)
    cache = tmp_path / "cache" if with_cache else None
    images = load(table, VARIABLE, cache=cache)
    assert same(images, whole)
    assert images.sizes == whole.sizes
    assert images.rows == whole.rows
    assert [image.file for image in images.skipped] == [table.rows[2].file]
    said = lines.getvalue()
    assert "GB of decoded pictures are more than 50% of the 0.0 GB free" in said
    assert (f"at {cache}" if cache else "in memory") in said
    (table.root / images.rows[5].file).unlink()
    with pytest.raises(TrainingError, match=r"cannot be read: No such file"):
        images[5]


def test_a_bad_image_is_named_skipped_and_returned(tmp_path: Path, lines: io.StringIO) -> None:
    table, cache = make(tmp_path / "data", 40), tmp_path / "cache"
    cut, gone = table.rows[7], table.rows[30]
    whole = (table.root / cut.file).read_bytes()
    (table.root / cut.file).write_bytes(whole[: len(whole) // 2])
    (table.root / gone.file).unlink()
    for _ in range(2):  # the second time from the cache
        images = load(table, cache=cache)
        assert [image.file for image in images.skipped] == [gone.file, cut.file]
        assert images.rows == tuple(row for row in table.rows if row not in (cut, gone))
        assert images.labels.tolist() == [table.labels.index(row.label) for row in images.rows]
        row = images.rows[35]
        theirs = SQUASH(decode_image((table.root / row.file).read_bytes()))
        np.testing.assert_array_equal(images[35][0].numpy(), theirs)
    assert lines.getvalue().count(f"Skipped {cut.file}: The PNG image of") == 2
    assert f"Skipped {gone.file}: it has disappeared." in lines.getvalue()
    (table.root / cut.file).write_bytes(whole)
    assert len(load(table, cache=cache)) == 39


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_an_image_that_disappears_or_changes_meanwhile_is_skipped(
    tmp_path: Path, lines: io.StringIO, change: str
) -> None:
    table, cache = make(tmp_path / "data", 40), tmp_path / "cache"
    found = read_contents(table.root, table.rows, "Hashing", Skips(40))
    file = table.root / table.rows[4].file
    before = file.read_bytes()
    if change == "gone":
        file.unlink()
    else:
        file.write_bytes(before + b"more")
    images = load(table, cache=cache, contents=found)
    assert [image.file for image in images.skipped] == [table.rows[4].file]
    assert len(images) == 39
    assert change in lines.getvalue().replace("disappeared", "gone")
    file.write_bytes(before)
    # What was kept without it is not taken for the whole.
    assert len(load(table, cache=cache, contents=found)) == 40


def test_past_five_percent_it_is_an_error(tmp_path: Path, lines: io.StringIO) -> None:
    table = make(tmp_path / "data", 40)
    for number in (3, 20):
        (table.root / table.rows[number].file).write_bytes(b"")
    assert len(load(table)) == 38
    (table.root / table.rows[33].file).write_bytes(b"GIF89a")
    with pytest.raises(TrainingError) as caught:
        load(table, cache=tmp_path / "cache")
    message = str(caught.value)
    assert message.startswith("3 of 40 images cannot be used, more than 5%; the first is ")
    assert repr(table.rows[3].file) in message
    assert "empty (0 bytes)" in message


def test_the_share_is_that_of_the_whole_table(tmp_path: Path, lines: io.StringIO) -> None:
    table = make(tmp_path / "data", 40)
    (table.root / table.rows[1].file).write_bytes(b"")
    part = ImageTable(table.root, table.labels, (*table.rows[:3], table.rows[-1]))
    skips = Skips(len(table.rows))
    assert len(load(part, skips=skips)) == 3
    assert [image.file for image in skips.images] == [table.rows[1].file]
    with pytest.raises(TrainingError, match="1 of 4 images"):
        load(part)


def test_a_class_of_which_nothing_is_left_is_an_error(tmp_path: Path, lines: io.StringIO) -> None:
    table = make(tmp_path / "data", 24)
    (table.root / "c").mkdir()
    (table.root / "c" / "1.png").write_bytes(b"no image")
    with pytest.raises(TrainingError, match="None of the images of the class 'c'"):
        load(read_folder(table.root))


def test_many_bad_images_do_not_flood_the_terminal(lines: io.StringIO) -> None:
    skips = Skips(10_000)
    for number in range(100):
        skips.add(f"a/[{number}].jpg", "damaged.")
        skips.add(f"a/[{number}].jpg", "damaged.")
    said = lines.getvalue().splitlines()
    assert len(said) == 21
    assert said[3] == "Skipped a/[3].jpg: damaged."
    assert len(skips.images) == 100


def test_checking_keeps_nothing_and_returns_the_good_ones(
    tmp_path: Path, lines: io.StringIO
) -> None:
    table = make(tmp_path / "data", 40)
    (table.root / table.rows[9].file).write_bytes(b"\x89PNG\r\n\x1a\n")
    good = check_images(table.root, table.rows, "Checking")
    assert good == (*table.rows[:9], *table.rows[10:])
    with pytest.raises(TrainingError, match="1 of 10 images"):
        check_images(table.root, table.rows[:10], "Checking")


def test_an_image_alone_is_named_where_it_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"image .*x.png cannot be used. The file is empty"):
        read_image(tmp_path / "x.png")
    with pytest.raises(TrainingError, match=r"image .*y.png cannot be read"):
        read_image(tmp_path / "y.png")


def test_the_fingerprint_changes_with_names_labels_and_bytes(tmp_path: Path) -> None:
    def of(rows: Sequence[LabelledImage]) -> str:
        found = read_contents(table.root, rows, "Hashing", Skips(len(rows)))
        return fingerprint(rows, found)

    table = make(tmp_path / "data")
    first, *others = table.rows
    whole = of(table.rows)
    assert of(table.rows) == whole
    assert of([replace(first, label=table.labels[-1]), *others]) != whole
    renamed = (table.root / first.file).with_stem("renamed")
    (table.root / first.file).rename(renamed)
    moved = replace(first, file=renamed.relative_to(table.root).as_posix())
    assert of([moved, *others]) != whole
    renamed.rename(table.root / first.file)
    assert of(table.rows) == whole
    (table.root / first.file).write_bytes((table.root / others[0].file).read_bytes())
    assert of(table.rows) != whole


def test_the_fingerprint_comes_from_the_same_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make(tmp_path / "data")
    found = read_contents(table.root, table.rows, "Hashing", Skips(len(table.rows)))
    row = table.rows[5]
    data = (table.root / row.file).read_bytes()
    assert found[row.file].sha256 == hashlib.sha256(data).hexdigest()
    assert (found[row.file].width, found[row.file].height) == decode_image(data).size
    expected = fingerprint(table.rows, found)
    monkeypatch.setattr(Path, "read_bytes", None)
    monkeypatch.setattr(Path, "open", None)
    assert fingerprint(table.rows, found) == expected
    assert fingerprint(table.rows[1:], found) != expected


def test_a_table_that_was_read_before_is_not_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make(tmp_path / "data")
    found = read_contents(table.root, table.rows, "Hashing", Skips(len(table.rows)))
    monkeypatch.setattr(contents_module, "sha256", None)
    assert len(load(table, contents=found)) == len(table.rows)


def test_results_of_threads_come_in_order_and_do_not_pile_up() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(200):
            taken.append(number)
            yield number

    def slow(number: int) -> int:
        time.sleep(0.004 if number % 5 == 0 else 0)
        return number * number

    for number, result in enumerate(in_threads(slow, items(), threads=3)):
        assert result == number * number
        assert len(taken) <= number + 14


def test_a_data_set_travels_to_another_process_without_its_pixels(tmp_path: Path) -> None:
    images = load(make(tmp_path / "data"), cache=tmp_path / "cache")
    packed = pickle.dumps(images)
    assert len(packed) < (tmp_path / "cache").rglob("levels.u8").__next__().stat().st_size / 2
    assert same(pickle.loads(packed), images)
    in_memory = load(make(tmp_path / "data"))
    assert same(pickle.loads(pickle.dumps(in_memory)), images)


class Seeded(Dataset[tuple[Tensor, Tensor]]):
    """Sets the random state for each item, as ``training.fitting.order.Numbered`` does."""

    def __init__(self, images: PixelDataset) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        torch.default_generator.manual_seed(index)
        return self.images[index]


def test_workers_change_nothing(tmp_path: Path) -> None:
    strategy = get_strategy("squash", 32)
    ops = ["cutout", "rotate", "grid_distortion", "hue_saturation"]
    augmentation = strategy.augmentation([{"op": op} for op in ops])
    images = load(
        make(tmp_path / "data"),
        strategy.transform(NORMALIZE),
        augmentation=augmentation,
        train_ops=strategy.train_ops,
        cache=tmp_path / "cache",
    )
    torch.rand(500, 500).mm(torch.rand(500, 500))  # the main process has its threads by now

    def batches(workers: int) -> list[Tensor]:
        loader = DataLoader(Seeded(images), 5, num_workers=workers, timeout=60 if workers else 0)
        return [batch for batch, _ in loader]

    alone = batches(0)
    for workers in (1, 2):
        others = batches(workers)
        assert all(torch.equal(a, b) for a, b in zip(alone, others, strict=True))


@pytest.mark.parametrize(
    ("seconds", "images", "available", "expected"),
    [
        (0.0, 100_000, 8, 0),  # nothing to do in a worker
        (0.01, 100_000, 2, 0),  # no core to spare
        (0.01, 100_000, 1, 0),
        (0.0001, 10_000_000, 8, 0),  # quicker than handing it over
        (0.001, 1_000, 8, 0),  # over before a worker has started
        (0.01, 100_000, 8, 4),
        (0.01, 100_000, 4, 3),
    ],
)
def test_workers_are_used_where_they_help(
    seconds: float, images: int, available: int, expected: int
) -> None:
    assert worker_count(seconds, images, available) == expected


def test_the_time_of_an_item_is_measured(tmp_path: Path) -> None:
    def slow(image: Tensor) -> Tensor:
        time.sleep(0.02)
        return image

    assert 0.02 <= item_seconds(load(make(tmp_path), augmentation=slow), 5) < 0.5
    assert item_seconds(load_pixels(tmp_path, [], ["a"], SQUASH, "Reading")) == 0


def test_a_picture_is_augmented_in_one_thread(tmp_path: Path) -> None:
    threads = []

    def count(image: Tensor) -> Tensor:
        threads.append(torch.get_num_threads())
        return image

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    load(make(tmp_path), augmentation=count)[0]
    assert threads == [1]
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_the_key_is_that_of_files_operations_and_decoder() -> None:
    ops: list[ImageOp] = [Resize(3, 4)]
    assert cache_key(["1", "2"], ops) == cache_key(["1", "2"], [Resize(3, 4)])
    keys = {cache_key(*args) for args in ((["1"], ops), (["2"], ops), (["1"], []), ([], ops))}
    assert len(keys) == 4


def test_no_images_are_no_error(tmp_path: Path) -> None:
    for cache in (None, tmp_path / "cache"):
        images = load_pixels(tmp_path, [], ["a", "b"], SQUASH, "Reading", cache=cache)
        assert len(images) == 0
        assert images.labels.shape == (0,)


def test_cores_are_those_that_may_be_used() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
