"""Loading: each image is decoded once and kept, as the service sees it."""

from __future__ import annotations

import io
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model_loader import Transform
from tests.support.pixel_material import NORMALIZE, SQUASH, VARIABLE, load, make, same
from training.augment.sizing import get_strategy
from training.errors import TrainingError
from training.pixels.cache import PixelCache
from training.pixels.dataset import load_pixels


@pytest.mark.parametrize("where", ["temporary", "folder"])
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
        theirs = transform.prepare((table.root / row.file).read_bytes())
        assert image.dtype == torch.float32
        np.testing.assert_array_equal(image.numpy(), theirs)
        assert images.sizes[number] == theirs.shape[1:]
        assert label.dtype == torch.int64
        assert table.labels[label] == row.label


def test_training_and_plain_pictures_come_from_one_pass(tmp_path: Path, decoded: list[int]) -> None:
    table = make(tmp_path / "data")
    strategy = get_strategy("squash", 32)
    transform = strategy.transform(NORMALIZE)
    augmentation = strategy.augmentation([])
    cache = tmp_path / "cache"
    images = load(
        table, transform, cache=cache, augmentation=augmentation, train_ops=strategy.train_ops
    )
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
    inverted = NORMALIZE(255 - images.plain.levels(3))
    for _ in range(2):  # the second time, too: what is kept was not inverted in place
        np.testing.assert_array_equal(images[3][0].numpy(), inverted)
    assert seen == [(torch.uint8, (3, 20, 24))] * 2


@pytest.mark.parametrize("with_cache", [True, False])
def test_pictures_that_do_not_fit_are_decoded_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO, with_cache: bool
) -> None:
    table = make(tmp_path / "data")
    (table.root / table.rows[2].file).write_bytes(b"no image")
    whole = load(table, VARIABLE)
    monkeypatch.setattr(PixelCache, "free_bytes", lambda self: 20_000)
    cache = tmp_path / "cache" if with_cache else None
    images = load(table, VARIABLE, cache=cache)
    assert same(images, whole)
    assert images.sizes == whole.sizes
    assert images.rows == whole.rows
    assert [image.file for image in images.skipped] == [table.rows[2].file]
    said = lines.getvalue()
    assert "GB of decoded images are more than 50% of the 0.0 GB free" in said
    assert f"free at {cache or tempfile.gettempdir()}" in said
    (table.root / images.rows[5].file).unlink()
    with pytest.raises(TrainingError, match=r"cannot be read: No such file"):
        images[5]


def test_a_data_set_travels_to_another_process_without_its_pixels(tmp_path: Path) -> None:
    images = load(make(tmp_path / "data"), cache=tmp_path / "cache")
    packed = pickle.dumps(images)
    assert len(packed) < (tmp_path / "cache").rglob("levels.u8").__next__().stat().st_size / 2
    assert same(pickle.loads(packed), images)
    uncached = load(make(tmp_path / "data"))
    assert same(pickle.loads(pickle.dumps(uncached)), images)


def test_no_images_are_no_error(tmp_path: Path) -> None:
    for cache in (None, PixelCache(tmp_path / "cache")):
        images = load_pixels(tmp_path, [], ["a", "b"], SQUASH, "Reading", cache=cache)
        assert len(images) == 0
        assert images.labels.shape == (0,)
