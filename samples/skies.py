"""Skies at varied hours: gradient, sun, clouds, haze and, sometimes, land below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]
RGB = tuple[float, float, float]

# Top of the sky, sky at the horizon, colour of the light, its brightness.
_HOURS: tuple[tuple[RGB, RGB, RGB, float], ...] = (
    ((0.25, 0.48, 0.82), (0.70, 0.84, 0.95), (1.00, 1.00, 0.97), 1.00),  # noon
    ((0.10, 0.30, 0.66), (0.50, 0.70, 0.90), (1.00, 0.99, 0.95), 1.00),  # clear and cold
    ((0.55, 0.70, 0.85), (0.88, 0.92, 0.94), (1.00, 1.00, 1.00), 1.00),  # pale
    ((0.58, 0.62, 0.67), (0.80, 0.82, 0.84), (0.95, 0.97, 1.00), 0.85),  # overcast
    ((0.30, 0.34, 0.40), (0.58, 0.60, 0.62), (0.90, 0.95, 1.00), 0.70),  # before the storm
    ((0.36, 0.42, 0.66), (0.98, 0.74, 0.62), (1.00, 0.88, 0.82), 0.80),  # dawn
    ((0.45, 0.58, 0.78), (1.00, 0.82, 0.52), (1.00, 0.90, 0.70), 0.90),  # golden hour
    ((0.30, 0.25, 0.48), (0.98, 0.52, 0.30), (1.00, 0.75, 0.58), 0.65),  # sunset
    ((0.12, 0.17, 0.36), (0.62, 0.46, 0.54), (0.85, 0.80, 0.95), 0.55),  # dusk
    ((0.74, 0.77, 0.79), (0.90, 0.90, 0.89), (1.00, 1.00, 1.00), 0.90),  # mist
)


_FREQUENCY = (0.18, 0.15, 0.16, 0.12, 0.06, 0.07, 0.09, 0.06, 0.05, 0.06)


@dataclass(frozen=True)
class Sky:
    """A background and the light that goes with it.

    Attributes:
        pixels: [height, width, 3], RGB, 0 to 1.
        haze: Colour of distant air, RGB, 0 to 1.
        sun: Where the sun stands, in shares of width and height; may lie outside the picture.
        tint: Colour of the light, RGB.
        brightness: Of the light, 0 to 1.
    """

    pixels: Field
    haze: Field
    sun: tuple[float, float]
    tint: RGB
    brightness: float


def draw_sky(rng: np.random.Generator, width: int, height: int) -> Sky:
    """Draw a sky of `width` x `height` pixels."""
    first, second = rng.choice(len(_HOURS), 2, replace=False, p=_FREQUENCY)
    share = rng.uniform(0, 0.5)
    top, low, tint = (
        np.asarray(_HOURS[first][part]) * (1 - share) + np.asarray(_HOURS[second][part]) * share
        for part in range(3)
    )
    brightness = _HOURS[first][3] * (1 - share) + _HOURS[second][3] * share
    sun = (rng.uniform(-0.3, 1.3), rng.uniform(-0.3, 0.8))
    horizon = rng.uniform(0.62, 0.95) if rng.random() < 0.4 else rng.uniform(1.0, 2.5)

    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    down = np.clip(rows / horizon, 0, 1) ** rng.uniform(0.7, 1.8)
    pixels = np.broadcast_to(
        (top * (1 - down[..., None]) + low * down[..., None]), (height, width, 3)
    ).astype(np.float32)
    if rng.random() < 0.35:
        _add_sun(pixels, rng, sun, tint)
    if rng.random() < 0.75:
        _add_clouds(pixels, rng, tint * brightness, low)
    if horizon < 1:
        _add_land(pixels, rng, horizon, low, tint * brightness)
    red, green, blue = tint.tolist()
    return Sky(pixels, low.astype(np.float32), sun, (red, green, blue), float(brightness))


def noise(
    rng: np.random.Generator, width: int, height: int, cells: float, stretch: float, octaves: int
) -> Field:
    """Return smooth noise, 0 to 1, [height, width].

    Args:
        rng: Source of chance.
        width: Pixels.
        height: Pixels.
        cells: Blobs over the height of the coarsest octave.
        stretch: How much wider than high a blob is.
        octaves: Layers, each twice as fine and 0.55 times as strong as the one before.
    """
    total = np.zeros((height, width), dtype=np.float32)
    weight = 1.0
    for _ in range(octaves):
        down = max(2, round(cells))
        across = max(2, round(cells * width / height / stretch))
        grid = Image.fromarray(rng.random((down, across), dtype=np.float32))
        total += weight * np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))
        cells *= 2
        weight *= 0.55
    total -= total.min()
    total /= total.max()
    return total


def _blend(pixels: Field, colour: NDArray[np.floating], cover: Field) -> None:
    """Lay `colour` ([3] or [height, width, 3]) over the picture in place, `cover` of it."""
    pixels += (np.asarray(colour, dtype=np.float32) - pixels) * cover[..., None]


def _add_sun(
    pixels: Field, rng: np.random.Generator, sun: tuple[float, float], tint: NDArray[np.floating]
) -> None:
    height, width = pixels.shape[:2]
    across = (np.arange(width, dtype=np.float32) - sun[0] * width)[None]
    down = (np.arange(height, dtype=np.float32) - sun[1] * height)[:, None]
    distance = np.sqrt(across**2 + down**2) / min(width, height)
    radius = rng.uniform(0.02, 0.06)
    disc = np.clip((radius - distance) / radius * 6, 0, 1)
    glow = rng.uniform(0.3, 0.8) * np.exp(-distance / rng.uniform(0.12, 0.45))
    _blend(pixels, tint * (1.0, 0.98, 0.92), np.maximum(disc, glow))


def _add_clouds(
    pixels: Field,
    rng: np.random.Generator,
    light: NDArray[np.floating],
    haze: NDArray[np.floating],
) -> None:
    height, width = pixels.shape[:2]
    density = noise(rng, width, height, rng.uniform(1.5, 4), rng.uniform(1, 4), 6)
    edge = rng.uniform(0.25, 0.7)
    cover = np.clip((density - edge) / rng.uniform(0.08, 0.45), 0, 1)
    cover = cover * cover * (3 - 2 * cover) * np.float32(rng.uniform(0.35, 1))
    step = max(2, height // 30)
    relief = density - np.roll(density, step, axis=0)
    relief[:step] = 0
    lit = np.clip(0.6 - 3 * (density - edge) * rng.uniform(0, 0.5) + 2.5 * relief, 0, 1)[..., None]
    shadow = haze * rng.uniform(0.55, 0.85)
    _blend(pixels, shadow * (1 - lit) + np.clip(light * 1.05, 0, 1) * lit, cover)


def _add_land(
    pixels: Field,
    rng: np.random.Generator,
    horizon: float,
    haze: NDArray[np.floating],
    light: NDArray[np.floating],
) -> None:
    """Draw ridges from far to near; the last is the ground, with its texture."""
    height, width = pixels.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None]
    tilt = np.linspace(-1, 1, width) * rng.normal(0, 0.02) * width
    ridges = int(rng.integers(1, 4))
    for ridge in range(ridges):
        near = ridge == ridges - 1
        outline, colours = _LANDS[int(rng.integers(1 if near else 0, len(_LANDS)))]
        line = height * (horizon + 0.03 * ridge) + tilt - outline(rng, width) * height
        colour = np.asarray(colours[int(rng.integers(len(colours)))]) * rng.uniform(0.8, 1.15)
        air = rng.uniform(0, 0.3) if near else rng.uniform(0.35, 0.7)
        ground = np.broadcast_to(colour * light * (1 - air) + haze * air, (height, width, 3))
        if near:
            ground = ground * _texture(rng, width, height, horizon)[..., None]
        elif outline is _buildings:
            ground = ground * _windows(rng, width, height)[..., None]
        _blend(pixels, ground, np.clip(rows - line[None] + 0.5, 0, 1).astype(np.float32))


def _texture(rng: np.random.Generator, width: int, height: int, horizon: float) -> Field:
    """Return the light and dark of the ground, around 1: furrows that meet at the horizon."""
    grain = noise(rng, width, height, 40, 3, 2) - 0.5
    depth = np.clip(np.linspace(0, 1, height) - horizon, 0.01, 1)[:, None]
    across = (np.linspace(-0.5, 0.5, width) - rng.uniform(-0.5, 0.5))[None]
    rows = np.sin(across / depth * rng.uniform(2, 7)) * np.clip(depth * 12, 0, 1)
    furrows = rng.uniform(0.05, 0.15) if rng.random() < 0.5 else 0
    return (1 + furrows * rows + rng.uniform(0.1, 0.35) * grain).astype(np.float32)


def _windows(rng: np.random.Generator, width: int, height: int) -> Field:
    """Return rows of windows, darker or lit, around 1."""
    pitch = max(3, round(min(width, height) / 60))
    column, row = np.arange(width)[None] % pitch, np.arange(height)[:, None] % pitch
    inside = (column >= pitch / 2) & (row >= pitch / 2)
    return np.where(inside, np.float32(rng.uniform(0.75, 1.2)), np.float32(1))


def _hills(rng: np.random.Generator, width: int) -> Field:
    swell: Field = noise(rng, width, 2, 2, rng.uniform(30, 120), 3)[0]
    swell *= rng.uniform(0.02, 0.16)
    return swell


def _trees(rng: np.random.Generator, width: int) -> Field:
    crowns: Field = noise(rng, width, 2, 2, rng.uniform(2, 6), 3)[0]
    return (0.35 + 0.65 * crowns) * np.float32(rng.uniform(0.02, 0.09))


def _buildings(rng: np.random.Generator, width: int) -> Field:
    walls = np.sort(rng.integers(0, width, int(rng.integers(6, 20))))
    heights = rng.uniform(0, 1, len(walls) + 1) ** 2 * rng.uniform(0.07, 0.2)
    return heights[np.searchsorted(walls, np.arange(width))].astype(np.float32)


def _plain(rng: np.random.Generator, width: int) -> Field:
    return np.zeros(width, dtype=np.float32)


_MEADOW, _FOREST, _AUTUMN = (0.34, 0.48, 0.18), (0.17, 0.29, 0.14), (0.42, 0.30, 0.14)
_STUBBLE, _SOIL, _SAND = (0.66, 0.57, 0.32), (0.42, 0.32, 0.23), (0.74, 0.66, 0.50)
_WATER, _SNOW = (0.27, 0.42, 0.52), (0.86, 0.89, 0.92)
_CONCRETE, _BRICK, _GLASS = (0.62, 0.61, 0.60), (0.52, 0.36, 0.29), (0.40, 0.46, 0.52)
_LANDS: tuple[tuple[Callable[[np.random.Generator, int], Field], tuple[RGB, ...]], ...] = (
    (_buildings, (_CONCRETE, _BRICK, _GLASS)),  # only far away
    (_trees, (_FOREST, _FOREST, _MEADOW, _AUTUMN)),
    (_hills, (_MEADOW, _FOREST, _STUBBLE, _SAND, _SNOW)),
    (_plain, (_MEADOW, _MEADOW, _STUBBLE, _SOIL, _WATER, _SNOW)),
)
