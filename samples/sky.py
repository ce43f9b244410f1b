"""Skies at different hours: gradient, sun, clouds and, sometimes, land below."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samples.shapes import Array, Rng, colours

Field = NDArray[np.float32]

# Top of the sky, sky at the horizon, light: RGB each; then the light's brightness, probability.
_HOURS = (
    (0.25, 0.48, 0.82, 0.70, 0.84, 0.95, 1.00, 1.00, 0.97, 1.00, 0.18),  # noon
    (0.10, 0.30, 0.66, 0.50, 0.70, 0.90, 1.00, 0.99, 0.95, 1.00, 0.15),  # clear and cold
    (0.55, 0.70, 0.85, 0.88, 0.92, 0.94, 1.00, 1.00, 1.00, 1.00, 0.22),  # pale
    (0.58, 0.62, 0.67, 0.80, 0.82, 0.84, 0.95, 0.97, 1.00, 0.85, 0.18),  # overcast
    (0.36, 0.42, 0.66, 0.98, 0.74, 0.62, 1.00, 0.88, 0.82, 0.80, 0.07),  # dawn
    (0.45, 0.58, 0.78, 1.00, 0.82, 0.52, 1.00, 0.90, 0.70, 0.90, 0.09),  # golden hour
    (0.30, 0.25, 0.48, 0.98, 0.52, 0.30, 1.00, 0.75, 0.58, 0.65, 0.06),  # sunset
    (0.12, 0.17, 0.36, 0.62, 0.46, 0.54, 0.85, 0.80, 0.95, 0.55, 0.05),  # dusk
)
_GROUNDS = colours("#577a2e", "#2b4a24", "#a89152", "#6b5238", "#456b85", "#dbe3eb")


def draw_sky(rng: Rng, width: int, height: int) -> tuple[Field, Array, Array, Array]:
    """Return RGB [height, width, 3], 0 to 1, the colours of distant air and of the light, the sun.

    The sun's position is in shares of width and height and may lie outside the image.
    """
    hours = rng.choice(_HOURS, 2, replace=False, p=[hour[-1] for hour in _HOURS])
    share = rng.uniform(0, 0.5)
    top, haze, tint, (brightness, _) = np.split((1 - share, share) @ hours, (3, 6, 9))
    light, sun = tint * brightness, rng.uniform((-0.3, -0.3), (1.3, 0.8))
    horizon = rng.uniform(0.62, 0.95) if rng.random() < 0.4 else rng.uniform(1.0, 2.5)
    low = np.clip(np.linspace(0, 1, height)[:, None, None] / horizon, 0, 1) ** rng.uniform(0.7, 1.8)
    pixels = np.repeat(top + (haze - top) * low, width, axis=1).astype(np.float32)
    if rng.random() < 0.35:
        down, across = np.ogrid[:height, :width]
        distance = np.hypot(across - sun[0] * width, down - sun[1] * height) / min(width, height)
        disc = np.clip(6 - 6 * distance / rng.uniform(0.02, 0.06), 0, 1)
        glow = rng.uniform(0.3, 0.8) * np.exp(-distance / rng.uniform(0.12, 0.45))
        pixels += (tint - pixels) * np.maximum(disc, glow)[..., None]
    if rng.random() < 0.75:
        _add_clouds(pixels, rng, light, haze)
    if horizon < 1:
        _add_land(pixels, rng, horizon, light, haze)
    return pixels, haze, light, sun


def _noise(rng: Rng, size: tuple[int, int], cells: float, stretch: float, octaves: int) -> Field:
    """Return smooth noise, 0 to 1, of `size` (width, height).

    The coarsest octave has `cells` blobs over the height, `stretch` times as wide as high.
    """
    total = np.zeros(size[::-1], dtype=np.float32)
    for octave in range(octaves):
        down = cells * 2**octave
        shape = max(2, round(down)), max(2, round(down * size[0] / size[1] / stretch))
        grid = Image.fromarray(rng.random(shape, dtype=np.float32))
        total += np.float32(0.55**octave) * np.asarray(grid.resize(size, Image.Resampling.BICUBIC))
    return np.interp(total, (total.min(), total.max()), (0, 1)).astype(np.float32)


def _add_clouds(pixels: Field, rng: Rng, light: Array, haze: Array) -> None:
    height, width = pixels.shape[:2]
    density = _noise(rng, (width, height), rng.uniform(1.5, 4), rng.uniform(1, 4), 6)
    cover = np.clip((density - rng.uniform(0.25, 0.7)) / rng.uniform(0.08, 0.45), 0, 1)
    relief = density - np.pad(density, ((max(2, height // 30), 0), (0, 0)), "edge")[:height]
    lit = np.clip(0.6 + 2.5 * relief - 0.4 * cover, 0, 1)[..., None]
    cover = cover**2 * (3 - 2 * cover) * rng.uniform(0.4, 1)
    shadow = haze * rng.uniform(0.55, 0.85)
    pixels += (shadow + (light - shadow) * lit - pixels) * cover[..., None]


def _add_land(pixels: Field, rng: Rng, horizon: float, light: Array, haze: Array) -> None:
    """Draw one to three ridges of hills or trees; the nearest is the ground, with its texture."""
    height, width = pixels.shape[:2]
    tilt = np.linspace(-1, 1, width) * rng.normal(0, 0.02) * width
    for distance in range(int(rng.integers(0, 3)), -1, -1):
        stretch = rng.choice((rng.uniform(2, 6), rng.uniform(30, 120)))  # trees, or hills
        ridge = _noise(rng, (width, 2), 2, stretch, 3)[0] * rng.uniform(0, 0.12)
        line = height * (horizon - 0.03 * distance - ridge) + tilt
        ground = rng.choice(_GROUNDS) * light
        colour = ground + (haze - ground) * (rng.uniform(0, 0.3) + (0.35 if distance else 0))
        if not distance:
            colour = colour * (0.9 + 0.2 * _noise(rng, (width, height), 40, 3, 2)[..., None])
        below = np.clip(np.arange(height)[:, None] - line + 0.5, 0, 1)
        pixels += (colour - pixels) * below[..., None]
