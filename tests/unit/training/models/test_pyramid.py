"""Spatial pyramid pooling: images of any size, alone and in batches of one size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.support.models_material import noise, pictures
from training.fitting.size_buckets import SizeBuckets
from training.models.classifier import Classifier
from training.models.pyramid import SpatialPyramidMaxPool

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("size", [(1, 1), (1, 16), (2, 3), (7, 7), (4, 8), (5, 9), (13, 2)])
def test_the_pyramid_is_adaptive_max_pooling_bit_for_bit(size: tuple[int, int]) -> None:
    maps = noise(2, 5, *size)
    wanted = [nn.AdaptiveMaxPool2d(n)(maps).flatten(1) for n in (4, 2, 1)]
    assert torch.equal(SpatialPyramidMaxPool((4, 2, 1))(maps), torch.cat(wanted, 1))


@pytest.mark.parametrize("size", [(32, 32), (33, 500), (500, 33), (65, 97)])
def test_images_of_any_size_make_equally_many_features(
    spp: Classifier, size: tuple[int, int]
) -> None:
    with torch.no_grad():
        assert spp.embed(noise(2, 3, *size)).shape == (2, 26_880)


def test_batches_answer_as_one_image_at_a_time_does(spp: Classifier) -> None:
    sizes = [(32, 32), (64, 96), (32, 32), (40, 200), (64, 96), (96, 64), (32, 32), (64, 96)]
    images = [pictures(1, *size, seed=seed)[0] for seed, size in enumerate(sizes)]
    batches = list(SizeBuckets(sizes, max_pixels=2 * 64 * 96, batch_size=8))
    with torch.no_grad():
        alone = torch.cat([spp(image[None]).softmax(1) for image in images])
        together = [spp(torch.stack([images[i] for i in batch])).softmax(1) for batch in batches]
    assert alone.std(0).min() > 1e-2
    assert sorted(len(batch) for batch in batches) == [1, 1, 1, 2, 3]
    order = [i for batch in batches for i in batch]
    torch.testing.assert_close(torch.cat(together), alone[order], atol=1e-4, rtol=0)


def test_padding_a_batch_would_answer_differently(spp: Classifier) -> None:
    image = noise(1, 3, 64, 64)
    with torch.no_grad():
        padded = spp(nn.functional.pad(image, (0, 64, 0, 64)))
        assert not torch.allclose(padded, spp(image), atol=1e-2)
