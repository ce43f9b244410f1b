"""Draw a small labelled set of flying things, so that everything can be tried without photographs.

Picture i of a class depends on the seed, the class and i alone. Sky, light, size, place, colours
and camera come from the same distributions for every class: what is left to learn is the shape.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from samples.birds import bird, choose_bird
from samples.drones import large_quadcopter, small_quadcopter, winged_drone
from samples.skies import Sky, draw_sky
from samples.solids import Array, Chance, Colour, Light, Livery, View, paint

CLASSES = ("Flying Birds", "Large QuadCopters", "Small QuadCopters", "Winged Drones")

_ASPECTS = (1.0, 5 / 4, 4 / 3, 3 / 2, 16 / 9)
_PAINTS: tuple[Colour, ...] = (
    (0.95, 0.95, 0.93),
    (0.80, 0.80, 0.78),
    (0.55, 0.56, 0.58),
    (0.34, 0.35, 0.38),
    (0.17, 0.17, 0.18),
    (0.46, 0.33, 0.22),
    (0.66, 0.54, 0.38),
    (0.38, 0.40, 0.26),
    (0.88, 0.42, 0.12),
    (0.90, 0.74, 0.18),
    (0.74, 0.16, 0.14),
    (0.18, 0.36, 0.66),
)
_MACHINES = {
    "Large QuadCopters": large_quadcopter,
    "Small QuadCopters": small_quadcopter,
    "Winged Drones": winged_drone,
}
_NEUTRAL = 6  # the first paints, used most


def draw_sample_data(
    folder: Path,
    images_per_class: int = 60,
    seed: int = 0,
    on_image: Callable[[], None] | None = None,
) -> None:
    """Write `folder/<class>/<nnn>.jpg` for every class.

    Args:
        folder: Made if missing; files of the same name are replaced.
        images_per_class: Pictures of each class.
        seed: The same seed gives the same bytes; a larger set begins with the smaller one.
        on_image: Called after each picture is written.
    """
    for label in CLASSES:
        place = folder / label
        place.mkdir(parents=True, exist_ok=True)
        for index in range(images_per_class):
            rng = _generator(label, seed, index)
            image = _draw(label, rng)
            target = place / f"{index:03d}.jpg"
            unfinished = target.with_suffix(".part")
            image.save(unfinished, "JPEG", quality=int(rng.integers(60, 96)))
            unfinished.replace(target)
            if on_image:
                on_image()


def draw_image(label: str, seed: int = 0, index: int = 0) -> Image.Image:
    """Return picture `index` of a class, RGB, as `draw_sample_data` draws it before compression.

    Args:
        label: One of `CLASSES`.
        seed: Which set.
        index: Which picture of the set.

    Raises:
        ValueError: There is no such class.
    """
    return _draw(label, _generator(label, seed, index))


def _generator(label: str, seed: int, index: int) -> Chance:
    if label not in CLASSES:
        raise ValueError(f"No class named {label!r}; there are {', '.join(CLASSES)}.")
    return np.random.default_rng((seed, CLASSES.index(label), index))


def _draw(label: str, rng: Chance) -> Image.Image:
    width, height = _image_size(rng)
    sky = draw_sky(rng, width, height)
    picture = Image.fromarray((np.clip(sky.pixels, 0, 1) * 255).astype(np.uint8))
    view = _view(rng, width, height)
    light = _light(rng, sky, view)
    livery = _livery(rng)
    if label == "Flying Birds":
        _paint_birds(picture, rng, livery, view, light)
    else:
        paint(picture, _MACHINES[label](rng, livery), view, light)
    return _developed(picture, rng)


def _paint_birds(
    picture: Image.Image,
    rng: Chance,
    livery: Livery,
    view: View,
    light: Light,
) -> None:
    """Paint one bird and, sometimes, its smaller companions behind it."""
    kind = choose_bird(rng)
    companions = int(rng.integers(1, 9)) if rng.random() < 0.3 else 0
    for _ in range(companions):
        away = rng.normal(0, 0.3, 2) * picture.size
        centre = (float(view.centre[0] + away[0]), float(view.centre[1] + away[1]))
        extent = view.extent * rng.uniform(0.25, 0.7)
        behind = View(view.rotation @ _turn(rng, 0.3), view.perspective, centre, extent)
        paint(picture, bird(rng, livery, kind), behind, light)
    paint(picture, bird(rng, livery, kind), view, light)


def _image_size(rng: Chance) -> tuple[int, int]:
    short = int(rng.integers(140, 421))
    long = round(short * rng.choice(_ASPECTS))
    return (long, short) if rng.random() < 0.75 else (short, long)


def _view(rng: Chance, width: int, height: int) -> View:
    """Turn the camera around the object, from well below it to well above."""
    elevation = np.radians(rng.choice((rng.uniform(-70, -10), rng.uniform(-10, 60))))
    up, level = np.sin(elevation), np.cos(elevation)
    camera = np.array([(1, 0, 0), (0, up, level), (0, -level, up)])
    yaw = rng.uniform(0, 2 * np.pi)
    heading = np.array([(np.cos(yaw), -np.sin(yaw), 0), (np.sin(yaw), np.cos(yaw), 0), (0, 0, 1)])
    extent = min(width, height) * rng.uniform(0.36, 0.95)
    room = 0.42 * extent
    centre = tuple(
        rng.uniform(room, side - room) if side > 2 * room else side / 2 for side in (width, height)
    )
    rotation = camera @ heading @ _turn(rng, 0.2)
    return View(rotation, rng.uniform(0, 0.3), (centre[0], centre[1]), extent)


def _turn(rng: Chance, spread: float) -> Array:
    """Return a small random rotation; `spread` is the standard deviation of its angles, radians."""
    roll, pitch = rng.normal(0, spread, 2)
    about_x = np.array(
        [(1, 0, 0), (0, np.cos(roll), -np.sin(roll)), (0, np.sin(roll), np.cos(roll))]
    )
    about_y = np.array(
        [(np.cos(pitch), 0, np.sin(pitch)), (0, 1, 0), (-np.sin(pitch), 0, np.cos(pitch))]
    )
    rotation: Array = about_y @ about_x
    return rotation


def _light(rng: Chance, sky: Sky, view: View) -> Light:
    """Light the object from where the sun stands in the sky, through the haze between."""
    height, width = sky.pixels.shape[:2]
    towards = np.array(
        (
            sky.sun[0] - view.centre[0] / width,
            view.centre[1] / height - sky.sun[1] + 0.4,
            rng.uniform(-0.2, 1.0),
        )
    )
    red, green, blue = sky.haze.tolist()
    return Light(
        direction=towards / np.linalg.norm(towards),
        ambient=sky.brightness * rng.uniform(0.4, 0.85),
        diffuse=sky.brightness * rng.uniform(0.2, 0.7),
        tint=sky.tint,
        haze=(red, green, blue),
        thickness=rng.uniform(0, 0.4) ** 1.5,
    )


def _livery(rng: Chance) -> Livery:
    colours = []
    for chance_of_colour in (0.35, 0.3, 0.7):
        first, last = (_NEUTRAL, len(_PAINTS)) if rng.random() < chance_of_colour else (0, _NEUTRAL)
        paint_pot = np.array(_PAINTS[int(rng.integers(first, last))])
        red, green, blue = np.clip(paint_pot * rng.normal(1, 0.08, 3), 0, 1).tolist()
        colours.append((red, green, blue))
    return Livery(*colours)


def _developed(picture: Image.Image, rng: Chance) -> Image.Image:
    """Give a picture the faults of a camera: blur, exposure, colour cast, dark corners, noise."""
    if rng.random() < 0.6:
        softness = min(picture.size) / 280 * rng.uniform(0.2, 1.3)
        picture = picture.filter(ImageFilter.GaussianBlur(softness))
    pixels = np.asarray(picture, dtype=np.float32)
    height, width = pixels.shape[:2]
    contrast, brightness = rng.uniform(0.85, 1.25), rng.normal(6, 10)
    cast = rng.normal(1, 0.035, 3).astype(np.float32)
    pixels = ((pixels - 128) * np.float32(contrast) + np.float32(128 + brightness)) * cast
    across = np.linspace(-1, 1, width, dtype=np.float32)[None] ** 2
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2
    pixels *= 1 - np.float32(rng.uniform(0, 0.14)) * (across + down)[..., None]
    grain = np.float32(9 * rng.random() ** 2)
    pixels += grain * rng.standard_normal((height, width, 1), dtype=np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
