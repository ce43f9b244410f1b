"""A small labelled set of drawn flying objects, to try everything without any data.

Image i of a class depends on the seed, the class and i alone. Sky, light, size, place, colours
and camera come from the same distributions for every class: only the shape gives it away.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.spatial.transform import Rotation

from samples.bodies import BIRDS, bird, large_quadcopter, small_quadcopter, winged_drone
from samples.shapes import Array, Rng, Scene, colours, render
from samples.sky import draw_sky

CLASSES = ("Flying Birds", "Large QuadCopters", "Small QuadCopters", "Winged Drones")

_DRONES = dict(zip(CLASSES[1:], (large_quadcopter, small_quadcopter, winged_drone), strict=True))
_GREYS = colours("whitesmoke", "lightgray", "darkgray", "dimgray", "#2b2b2e")
_BRIGHT = colours("#755438", "#a88a61", "olive", "#e06b1f", "#e6bd2e", "firebrick", "#2e5ca8")


def draw_sample_data(
    folder: Path,
    images_per_class: int = 60,
    seed: int = 0,
    on_image: Callable[[], None] | None = None,
) -> None:
    """Write `folder/<class>/<nnn>.jpg` for every class.

    Args:
        folder: Created if missing; files of the same name are replaced.
        images_per_class: Number of images of each class.
        seed: The same seed gives the same bytes; a larger set begins with the smaller one.
        on_image: Called after each image is written.
    """
    for label in CLASSES:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for index in range(images_per_class):
            quality = int(np.random.default_rng((seed, index)).integers(60, 96))
            target = folder / label / f"{index:03d}.jpg"
            unfinished = target.with_suffix(".part")
            draw_image(label, seed, index).save(unfinished, "JPEG", quality=quality)
            unfinished.replace(target)
            if on_image:
                on_image()


def draw_image(label: str, seed: int = 0, index: int = 0) -> Image.Image:
    """Return image `index` of a class, RGB, as `draw_sample_data` draws it before compression.

    Raises:
        ValueError: `label` is not one of `CLASSES`.
    """
    if label not in CLASSES:
        raise ValueError(f"No class named {label!r}; there are {', '.join(CLASSES)}.")
    rng = np.random.default_rng((seed, CLASSES.index(label), index))
    size = np.array((1, rng.choice((1, 5 / 4, 4 / 3, 3 / 2, 16 / 9)))) * rng.integers(140, 421)
    size = size.round().astype(int)[:: -1 if rng.random() < 0.75 else 1]
    pixels, *air = draw_sky(rng, *size.tolist())
    image = Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    scene = _scene(rng, size, *air)
    paints = [rng.choice(_BRIGHT if rng.random() < share else _GREYS) for share in (0.35, 0.3, 0.7)]
    paints = np.clip(paints * rng.normal(1, 0.08, (3, 3)), 0, 1)
    if label in _DRONES:
        render(image, _DRONES[label](rng, paints), scene)
    else:
        kind, companions = rng.choice(BIRDS), int(rng.integers(1, 9)) if rng.random() < 0.3 else 0
        for _ in range(companions):
            centre = scene.centre + rng.normal(0, 0.3, 2) * size
            behind = scene._replace(centre=centre, extent=scene.extent * rng.uniform(0.25, 0.7))
            render(image, bird(rng, paints, kind), behind)
        render(image, bird(rng, paints, kind), scene)
    return _camera_faults(image, rng)


def _scene(rng: Rng, size: NDArray[np.int64], haze: Array, light: Array, sun: Array) -> Scene:
    """Place the camera anywhere around the body, and the light where the sun stands."""
    heading, elevation = rng.uniform(0, 360), rng.choice(rng.uniform((-70, -10), (-10, 60)))
    camera = Rotation.from_euler("zx", (heading, elevation - 90), degrees=True)
    extent = min(size) * rng.uniform(0.36, 0.95)
    centre = size / 2 + rng.uniform(-1, 1, 2) * np.clip(size / 2 - 0.42 * extent, 0, None)
    across, up = sun - centre / size
    towards = np.array((across, 0.4 - up, rng.uniform(-0.2, 1.0)))
    return Scene(
        rotation=camera * Rotation.from_euler("xyz", rng.normal(0, 0.2, 3)),
        centre=centre,
        extent=extent,
        towards_light=towards / np.linalg.norm(towards),
        ambient=light * rng.uniform(0.4, 0.85),
        diffuse=light * rng.uniform(0.2, 0.7),
        haze=haze,
        thickness=rng.uniform(0, 0.4) ** 1.5,
    )


def _camera_faults(image: Image.Image, rng: Rng) -> Image.Image:
    """Add blur, exposure, colour cast, dark corners and noise."""
    blur = min(image.size) / 280 * max(0, rng.uniform(-0.7, 1.3))
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(blur)), np.float64) - 128
    pixels = (pixels * rng.uniform(0.85, 1.25) + rng.normal(134, 10)) * rng.normal(1, 0.035, 3)
    down, across = np.ogrid[-1 : 1 : image.height * 1j, -1 : 1 : image.width * 1j]
    pixels *= 1 - rng.uniform(0, 0.14) * (across**2 + down**2)[..., None]
    pixels += 9 * rng.random() ** 2 * rng.standard_normal((image.height, image.width, 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
