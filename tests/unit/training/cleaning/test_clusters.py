"""Small clusters of file sizes and sides, far from the rest, are pruned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.cleaning_material import found, put, run, scene
from tests.support.images import encode
from training.cleaning.clusters import find_clusters, outlying


def test_a_small_cluster_far_from_the_rest_is_pruned(root: Path) -> None:
    for i in range(60):
        put(root, f"birds/more{i}.png", scene(300 + i, 96 + i % 9))
    put(root, "drones/wide.png", scene(50, 400).resize((400, 40)))
    off = frozenset({"file-size-cluster", "odd-size"})
    assert found(root, skip=off) == [("drones/wide.png", "side-cluster", "drop")]
    reason = run(root, skip=off).findings[0].reason
    assert reason.startswith("400 × 40 pixels, in a cluster of 1 (1.18%) around 400 × 40 pixels")
    assert found(root, skip=off, max_share=0.01) == []
    assert found(root, skip=off, min_mads=1000) == []


def test_a_file_size_far_from_the_rest_is_pruned(root: Path) -> None:
    for i in range(60):
        put(root, f"birds/more{i}.png", scene(300 + i))
    put(root, "drones/x.png", encode(scene(50), "PNG") + bytes(3_000_000))
    assert found(root) == [("drones/x.png", "file-size-cluster", "drop")]


def test_clusters_hold_every_image_once_and_equal_images_are_one_cluster() -> None:
    measures = np.random.default_rng(0).lognormal(3, 1, (200, 2))
    clusters = find_clusters(measures, 5, seed=0)
    assert sorted(i for cluster in clusters for i in cluster.members) == list(range(200))
    assert sum(cluster.share for cluster in clusters) == pytest.approx(1)
    (only,) = find_clusters(np.full((50, 2), 64.0), 5, seed=0)
    assert (*only.centre, only.mads) == pytest.approx((64, 64, 0))
    assert outlying([only], 1.0, 0.1) == []


def test_one_odd_size_among_equal_ones_is_found_where_the_median_deviation_is_zero() -> None:
    sides = np.full((1000, 2), 64.0)
    sides[7] = 512
    (odd,) = outlying(find_clusters(sides, 8, seed=0), 0.02, 4)
    assert odd.members == (7,)
