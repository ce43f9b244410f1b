from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samples.draw import CLASSES, draw_image, draw_sample_data

PER_CLASS = 40


def read_all(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    draw_sample_data(folder, images_per_class=4, seed=3)
    return folder


@pytest.fixture(scope="module")
def pictures() -> dict[str, list[Image.Image]]:
    return {label: [draw_image(label, 0, i) for i in range(PER_CLASS)] for label in CLASSES}


def test_each_class_gets_its_folder_and_the_promised_number_of_files(sample: Path) -> None:
    expected = {f"{label}/{i:03d}.jpg" for label in CLASSES for i in range(4)}
    assert set(read_all(sample)) == expected


def test_every_file_is_a_jpeg_that_decodes_to_rgb(sample: Path) -> None:
    for path in sample.rglob("*.jpg"):
        with Image.open(path) as image:
            image.load()
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert 140 <= min(image.size) <= 420


def test_the_same_seed_gives_the_same_bytes(sample: Path, tmp_path: Path) -> None:
    draw_sample_data(tmp_path, images_per_class=4, seed=3)
    assert read_all(tmp_path) == read_all(sample)


def test_a_smaller_set_is_the_beginning_of_a_larger_one(sample: Path, tmp_path: Path) -> None:
    draw_sample_data(tmp_path, images_per_class=2, seed=3)
    larger, smaller = read_all(sample), read_all(tmp_path)
    assert len(smaller) == 2 * len(CLASSES)
    assert smaller.items() <= larger.items()


def test_another_seed_gives_other_pictures(sample: Path, tmp_path: Path) -> None:
    draw_sample_data(tmp_path, images_per_class=2, seed=4)
    assert not set(read_all(tmp_path).values()) & set(read_all(sample).values())


def test_no_two_pictures_of_a_set_are_alike(sample: Path) -> None:
    files = read_all(sample)
    assert len(set(files.values())) == len(files)


def test_the_caller_hears_of_each_picture_once_it_is_on_disk(tmp_path: Path) -> None:
    seen: list[int] = []
    draw_sample_data(
        tmp_path, images_per_class=2, on_image=lambda: seen.append(len(read_all(tmp_path)))
    )
    assert seen == list(range(1, 2 * len(CLASSES) + 1))


def test_a_broken_write_leaves_no_half_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_half(image: Image.Image, target: Path, *_: object, **__: object) -> None:
        target.write_bytes(b"\xff\xd8\xff")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", save_half)
    with pytest.raises(OSError, match="disk full"):
        draw_sample_data(tmp_path, images_per_class=1)
    assert not list(tmp_path.rglob("*.jpg"))


def test_an_unknown_class_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="No class named 'Kites'; there are Flying Birds, Large"):
        draw_image("Kites")


def test_picture_sizes_and_shapes_vary_in_every_class(
    pictures: dict[str, list[Image.Image]],
) -> None:
    for images in pictures.values():
        sizes = np.array([image.size for image in images])
        short, ratio = sizes.min(axis=1), sizes[:, 0] / sizes[:, 1]
        assert short.min() < 200
        assert short.max() > 360
        assert ratio.min() < 1 < 1.5 <= ratio.max()


def colour_and_size(image: Image.Image) -> list[float]:
    pixels = np.asarray(image, dtype=float)
    return [*pixels.mean(axis=(0, 1)), *image.size]


def colour_spread_and_size(image: Image.Image) -> list[float]:
    pixels = np.asarray(image, dtype=float)
    return [*pixels.mean(axis=(0, 1)), *pixels.std(axis=(0, 1)), *image.size]


@pytest.mark.parametrize("features", [colour_and_size, colour_spread_and_size])
def test_colour_and_size_do_not_give_the_class_away(
    pictures: dict[str, list[Image.Image]], features: Callable[[Image.Image], list[float]]
) -> None:
    values = np.array([features(image) for images in pictures.values() for image in images])
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    classes = np.repeat(np.arange(len(CLASSES)), PER_CLASS)
    # Nearest class mean, each picture left out of the mean of its own class; chance is 0.25.
    hits = 0
    for i, value in enumerate(values):
        others = np.arange(len(values)) != i
        means = [values[others & (classes == c)].mean(axis=0) for c in range(len(CLASSES))]
        hits += int(np.argmin(np.linalg.norm(means - value, axis=1))) == classes[i]
    assert hits / len(values) < 0.4
