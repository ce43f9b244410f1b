"""Faces in space, the solids made of them, and the painter that puts them on a picture.

Space: x forward, y left, z up, any unit. The painter turns a solid with a `View`, shades each face
by its slope towards the light, and fills polygons from the farthest to the nearest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

Array = NDArray[np.float64]
Colour = tuple[float, float, float]
Chance = np.random.Generator

SUPERSAMPLING = 4


@dataclass(frozen=True)
class Face:
    """One flat polygon.

    Attributes:
        points: Corners in order, [n, 3] with n >= 3.
        colour: Paint under white light, RGB, 0 to 1.
        alpha: Opacity, 0 to 1.
        glows: Whether it keeps its colour whatever the light.
    """

    points: Array
    colour: Colour
    alpha: float = 1.0
    glows: bool = False


@dataclass(frozen=True)
class Livery:
    """Three colours, drawn alike for all that flies so that none gives its class away."""

    main: Colour
    second: Colour
    accent: Colour


@dataclass(frozen=True)
class View:
    """How a solid is turned and where it lands on the picture.

    Attributes:
        rotation: [3, 3], space to camera (x right, y up, z towards the viewer).
        perspective: 0 for none; at 0.3 the near end is drawn about twice as large as the far end.
        centre: Middle of the solid's box on the picture, pixels.
        extent: Longer side of that box, pixels.
    """

    rotation: Array
    perspective: float
    centre: tuple[float, float]
    extent: float


@dataclass(frozen=True)
class Light:
    """The light a solid stands in.

    Attributes:
        direction: Unit vector towards the light, camera axes, [3].
        ambient: Light from everywhere, 0 to 1.
        diffuse: Light from `direction`, 0 to 1.
        tint: Colour of the light, RGB.
        haze: Colour of the air between, RGB, 0 to 1.
        thickness: Share of that colour in what is seen, 0 (clear) to 1.
    """

    direction: Array
    ambient: float
    diffuse: float
    tint: Colour
    haze: Colour
    thickness: float


def shaded(colour: Colour, factor: float) -> Colour:
    """Return `colour` made darker (factor < 1) or lighter (factor > 1)."""
    red, green, blue = (min(1.0, channel * factor) for channel in colour)
    return red, green, blue


def ring(centre: ArrayLike, across: ArrayLike, along: ArrayLike, sides: int) -> Array:
    """Return an ellipse of `sides` points spanned by two half-axes, [sides, 3]."""
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)[:, None]
    circle: Array = np.cos(angles) * np.asarray(across) + np.sin(angles) * np.asarray(along)
    circle += np.asarray(centre)
    return circle


def loft(rings: Sequence[Array], colour: Colour) -> list[Face]:
    """Skin a row of rings of equal point count and close both ends."""
    faces = [Face(rings[0], colour), Face(rings[-1], colour)]
    for near, far in zip(rings, rings[1:], strict=False):
        near_next, far_next = np.roll(near, -1, axis=0), np.roll(far, -1, axis=0)
        quads = np.stack([near, near_next, far_next, far], axis=1)
        faces.extend(Face(quad, colour) for quad in quads)
    return faces


def spindle(stations: Sequence[ArrayLike], colour: Colour, sides: int = 10) -> list[Face]:
    """Build a smooth hull along x through stations (x, z, half width, half height)."""
    rows = _smooth(np.asarray(stations, dtype=float))
    rings = [ring((x, 0, z), (0, w, 0), (0, 0, h), sides) for x, z, w, h in rows]
    return loft(rings, colour)


def _smooth(rows: Array) -> Array:
    """Put two rows between each two, on a Catmull-Rom curve through all of them."""
    padded = np.concatenate([rows[:1], rows, rows[-1:]])
    before, start, end, after = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = np.arange(3)[:, None] / 3
    curve = start + 0.5 * t * (
        end
        - before
        + t * (2 * before - 5 * start + 4 * end - after)
        + t * t * (3 * (start - end) + after - before)
    )
    return np.concatenate([curve.reshape(-1, rows.shape[1]), rows[-1:]])


def tube(
    start: ArrayLike, end: ArrayLike, radius: float, colour: Colour, sides: int = 6
) -> list[Face]:
    """Build a round bar between two points."""
    start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    axis = (end - start) / np.linalg.norm(end - start)
    helper = np.array((0.0, 0, 1)) if abs(axis[2]) < 0.9 else np.array((1.0, 0, 0))
    across = np.cross(axis, helper)
    across *= radius / np.linalg.norm(across)
    along = np.cross(axis, across)
    return loft([ring(point, across, along, sides) for point in (start, end)], colour)


def box(centre: ArrayLike, size: ArrayLike, colour: Colour, taper: float = 1.0) -> list[Face]:
    """Build a box of `size` (x, y, z); its lower face is `taper` times as large as its upper."""
    half = np.asarray(size, dtype=float) / 2
    corners = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)]) * half[:2]
    rings = [
        np.column_stack([corners * scale, np.full(4, z)]) + np.asarray(centre)
        for scale, z in ((taper, -half[2]), (1.0, half[2]))
    ]
    return loft(rings, colour)


def blades(
    centre: ArrayLike, axes: tuple[Array, Array], angle: float, count: int, colour: Colour
) -> list[Face]:
    """Build a propeller standing still; `axes` are two half-axes of the circle it sweeps."""
    faces = []
    for turn in angle + np.arange(count) * 2 * np.pi / count:
        along = np.cos(turn) * axes[0] + np.sin(turn) * axes[1]
        across = (np.cos(turn) * axes[1] - np.sin(turn) * axes[0]) * 0.09
        outline = [-across * 0.4, along * 0.4 - across, along, along * 0.4 + across, across * 0.4]
        faces.append(Face(np.asarray(centre) + np.array(outline), colour))
    return faces


def rotor(centre: ArrayLike, axes: tuple[Array, Array], rng: Chance, colour: Colour) -> list[Face]:
    """Build a turning propeller: a smear of its circle and, most often, its blades."""
    blur = rng.uniform(0.1, 0.4)
    faces = [Face(ring(centre, *axes, 20), colour, alpha=blur)]
    if rng.random() < 0.7:
        faces += blades(centre, axes, rng.uniform(0, np.pi), int(rng.integers(2, 4)), colour)
    return faces


def lamp(centre: ArrayLike, radius: float, colour: Colour) -> list[Face]:
    """Build a light: a bright core in a weak halo, seen from any side."""
    faces = []
    for size, alpha in ((2.4, 0.16), (1.0, 0.95)):
        x, y, z = np.eye(3) * radius * size
        for plane in ((x, y), (y, z), (z, x)):
            faces.append(Face(ring(centre, *plane, 12), colour, alpha, glows=True))
    return faces


def sheet(
    edge_front: Array, edge_back: Array, bands: Sequence[Colour], camber: float
) -> list[Face]:
    """Build a thin curved surface between two edges of n points, [n, 3] each.

    Args:
        edge_front: Leading edge.
        edge_back: Trailing edge.
        bands: Colours from front to back; each takes an equal share of the chord.
        camber: Height of the arch over the chord, as a share of the chord.
    """
    shares = np.linspace(0, 1, len(bands) + 1)
    chord = np.linalg.norm(edge_front - edge_back, axis=1, keepdims=True)
    lift = np.array((0.0, 0, 1)) * chord * camber
    lines = [
        edge_front * (1 - share) + edge_back * share + lift * 4 * share * (1 - share)
        for share in shares
    ]
    return [
        Face(np.stack([front[i], front[i + 1], back[i + 1], back[i]]), colour)
        for front, back, colour in zip(lines, lines[1:], bands, strict=False)
        for i in range(len(front) - 1)
    ]


def mirrored(faces: Sequence[Face]) -> list[Face]:
    """Return the faces and their reflections left to right."""
    flip = np.array((1.0, -1, 1))
    return [*faces, *(replace(face, points=face.points * flip) for face in faces)]


def paint(picture: Image.Image, faces: Sequence[Face], view: View, light: Light) -> None:
    """Draw a solid onto an RGB picture in place, with smooth edges; what lies outside is cut."""
    sizes = [len(face.points) for face in faces]
    starts = np.cumsum([0, *sizes[:-1]])
    turned = np.concatenate([face.points for face in faces]) @ view.rotation.T
    colours = _lit(faces, turned, starts, np.array(sizes), light)
    depth = np.add.reduceat(turned[:, 2], starts) / sizes
    flat = _projected(turned, view)
    margin = view.extent / 2 + 2
    left, top = (max(0, int(middle - margin)) for middle in view.centre)
    right, bottom = (
        min(limit, int(middle + margin) + 1)
        for middle, limit in zip(view.centre, picture.size, strict=True)
    )
    if left >= right or top >= bottom:
        return
    region = picture.crop((left, top, right, bottom))
    width, height = region.size
    canvas = region.resize(
        (width * SUPERSAMPLING, height * SUPERSAMPLING), Image.Resampling.BILINEAR
    )
    pen = ImageDraw.Draw(canvas, "RGBA")
    corners = (flat - (left, top)) * SUPERSAMPLING
    for i in np.argsort(depth, kind="stable"):
        outline = corners[starts[i] : starts[i] + sizes[i]]
        pen.polygon(outline.ravel().tolist(), fill=tuple(colours[i].tolist()))
    picture.paste(canvas.reduce(SUPERSAMPLING), (left, top))


def _projected(turned: Array, view: View) -> Array:
    """Return where camera points [n, 3] fall on the picture, pixels, [n, 2]."""
    reach = np.abs(turned).max()
    flat = turned[:, :2] * (1, -1) / (1 - view.perspective * turned[:, 2:] / reach)
    low, high = flat.min(axis=0), flat.max(axis=0)
    scale = view.extent / (high - low).max()
    placed: Array = (flat - (low + high) / 2) * scale + view.centre
    return placed


def _lit(
    faces: Sequence[Face],
    turned: Array,
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    light: Light,
) -> NDArray[np.uint8]:
    """Return each face's RGBA as the light and the haze leave it, [faces, 4].

    Both sides of a face are lit alike; what faces up gets more of the ambient light.
    """
    quarter = [turned[starts + sizes * part // 4] for part in range(4)]
    normal = np.cross(quarter[0] - quarter[2], quarter[1] - quarter[3])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    normal *= np.where(normal[:, 2:] < 0, -1, 1)
    lit = light.ambient * (0.8 + 0.2 * normal[:, 1])
    lit = lit + light.diffuse * np.clip(normal @ light.direction, 0, None)
    glows = np.array([face.glows for face in faces])
    paints = np.array([face.colour for face in faces])
    seen = np.where(glows[:, None], paints, paints * lit[:, None] * light.tint)
    air = np.where(glows, 0.3, 1.0)[:, None] * light.thickness
    seen = np.clip(seen * (1 - air) + np.array(light.haze) * air, 0, 1)
    alphas = np.array([face.alpha for face in faces])
    return np.round(np.column_stack([seen, alphas]) * 255).astype(np.uint8)
