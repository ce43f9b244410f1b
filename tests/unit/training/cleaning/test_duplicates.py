"""Copies: the same bytes or nearly the same picture, in a class, two classes, or two parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.cleaning_material import SIZES, found, put, run, scene, split_of
from tests.support.images import encode, noise
from training.data.duplicates import NearIndex


def test_of_equal_bytes_in_a_class_one_is_kept(root: Path) -> None:
    put(root, "birds/copy.png", scene(3))
    assert found(root) == [("birds/copy.png", "exact-duplicate", "drop")]


def test_of_near_duplicates_the_one_with_most_pixels_is_kept(root: Path) -> None:
    put(root, "birds/0-small.png", scene(3).resize((64, 64), Image.Resampling.LANCZOS))
    put(root, "birds/3.jpg", encode(scene(3), "JPEG", quality=60))
    assert found(root, skip=SIZES) == [
        ("birds/3.jpg", "near-duplicate", "drop"),
        ("birds/0-small.png", "near-duplicate", "drop"),
    ]
    reasons = {finding.reason for finding in run(root, skip=SIZES).findings}
    assert reasons == {"nearly the same image as birds/3.png"}


def test_plain_skies_with_a_speck_at_different_places_are_no_duplicates(root: Path) -> None:
    sky = Image.linear_gradient("L").resize((96, 96)).convert("RGB").point(lambda v: 150 + v // 4)
    for i, place in enumerate([(10, 70), (60, 20), (75, 75)]):
        picture = Image.blend(sky, noise(96, 96, i), 0.02)
        picture.paste((10, 10, 10), (*place, place[0] + 14, place[1] + 10))
        put(root, f"birds/sky{i}.png", picture)
    assert found(root) == []


def test_near_is_what_shares_its_hash_and_its_thumbnail() -> None:
    index = NearIndex(1, distance=10, difference=0.25)
    picture, other = (np.asarray(scene(seed, 16)) for seed in (1, 2))
    index.add(0, picture)
    assert index.near(0, picture) == [0]
    assert index.near(2**10 - 1, picture) == [0]
    assert index.near(2**11 - 1, picture) == []
    assert index.near(0, other) == []
    assert index.near(0, (picture * 0.8).astype(np.uint8)) == [0]


def test_frames_do_not_fall_like_dominoes(root: Path) -> None:
    """A is near B and B near C, but A is not near C: dropping B must not drop C."""
    first, last = scene(200, 96), scene(201, 96)
    frames = [Image.blend(first, last, share) for share in np.linspace(0, 1, 40)]
    for i, frame in enumerate(frames):
        put(root, f"birds/frame{i:02}.png", frame)
    kept = [file for file in run(root).kept if "frame" in file]
    assert 2 < len(kept) < 20
    assert "birds/frame39.png" in kept or "birds/frame00.png" in kept


@pytest.mark.parametrize("action", ["keep", "drop"])
def test_a_picture_in_two_classes_is_reported_on_both_sides(root: Path, action: str) -> None:
    put(root, "drones/bird.png", scene(3))
    put(root, "drones/small.png", scene(4).resize((64, 64), Image.Resampling.LANCZOS))
    cleaning = run(root, conflicts=action, skip=SIZES)
    assert {(f.file, f.rule, f.action) for f in cleaning.findings} == {
        (file, "label-conflict", action)
        for file in ("birds/3.png", "drones/bird.png", "birds/4.png", "drones/small.png")
    }
    assert len(cleaning.kept) == (26 if action == "keep" else 22)
    reasons = {finding.file: finding.reason for finding in cleaning.findings}
    assert reasons["drones/bird.png"] == "the same bytes as birds/3.png of class birds"
    assert reasons["birds/4.png"] == "nearly the same image as drones/small.png of class drones"


def test_training_loses_the_copy_of_what_is_tested(root: Path) -> None:
    put(root, "birds/copy.png", scene(3))
    put(root, "birds/large.png", scene(4).resize((128, 128), Image.Resampling.LANCZOS))
    put(root, "birds/again.png", scene(5))
    split = split_of(root, copy="test", **{"4": "validation"})
    assert sorted(found(root, split, skip=SIZES)) == [
        ("birds/3.png", "leak", "drop"),
        ("birds/again.png", "exact-duplicate", "drop"),
        ("birds/large.png", "leak", "drop"),
    ]
    reasons = {finding.file: finding.reason for finding in run(root, split, skip=SIZES).findings}
    assert reasons["birds/3.png"] == "in train, the same bytes as birds/copy.png in test"
