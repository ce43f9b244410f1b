"""Processes and threads that load: used where they help, and without effect on the pixels."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tests.support.pixel_material import NORMALIZE, SQUASH, load, make
from training.augment.sizing import get_strategy
from training.pixels.dataset import PixelDataset, load_pixels
from training.pixels.workers import item_seconds, worker_count


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
