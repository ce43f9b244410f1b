"""Batches of images of one size, up to a number of pixels."""

from __future__ import annotations

import pytest
import torch

from training.fitting.size_buckets import SizeBuckets

SIZES = [[(64, 64), (32, 64), (64, 32), (200, 300)][i * i % 4 if i % 7 else 3] for i in range(90)]
LIMITS = (10 * 64 * 64, 8)
"""Pixels and images of a batch."""


@pytest.mark.parametrize("shuffle", [True, False])
def test_each_image_is_in_one_batch_of_its_size_and_the_cap_holds(shuffle: bool) -> None:
    buckets = SizeBuckets(SIZES, *LIMITS, shuffle=shuffle)
    batches = list(buckets)
    assert sorted(index for batch in batches for index in batch) == list(range(90))
    assert len(batches) == len(buckets)
    for batch in batches:
        ((height, width),) = {SIZES[index] for index in batch}
        assert len(batch) <= 8
        assert len(batch) == 1 or len(batch) * height * width <= 10 * 64 * 64
    assert max(map(len, batches)) == 8


def test_an_image_larger_than_the_cap_travels_alone() -> None:
    batches = list(SizeBuckets([(500, 500)] * 3 + [(10, 10)] * 4, 1000, 8))
    assert sorted(map(len, batches)) == [1, 1, 1, 4]


def test_batches_are_as_large_as_the_cap_lets_them_be() -> None:
    assert [len(b) for b in SizeBuckets([(10, 10)] * 10, 400, 8, shuffle=False)] == [4, 4, 2]
    assert list(SizeBuckets([], 400, 8)) == []


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        buckets = SizeBuckets(SIZES, *LIMITS, seed=seed)
        buckets.set_epoch(epoch)
        torch.manual_seed(len(list(buckets)) + epoch)  # the global generator has no say
        return list(buckets)

    assert order(3, 5) == order(3, 5)
    assert order(3, 5) != order(3, 6)
    assert order(3, 5) != order(4, 5)
    state = torch.get_rng_state()
    list(SizeBuckets(SIZES, *LIMITS))
    assert torch.equal(torch.get_rng_state(), state)


def test_limits_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        SizeBuckets([(1, 1)], 0, 1)
    with pytest.raises(ValueError, match="at least 1"):
        SizeBuckets([(1, 1)], 1, 0)
