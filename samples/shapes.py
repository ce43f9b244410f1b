"""Bodies made of flat faces, and the renderer that draws them.

Space: x forward, y left, z up, any unit. Colours: RGB, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageColor, ImageDraw
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]
Rng = np.random.Generator


class Face(NamedTuple):
    """One flat polygon: its corners in order, [n, 3] with n >= 3, its colour and its opacity."""

    points: Array
    colour: Array
    alpha: float = 1.0


class Scene(NamedTuple):
    """Position and light of a body."""

    rotation: Rotation  # space to camera (x right, y up, z towards the viewer)
    centre: Array  # middle of the body's bounding box in the image, [2], pixels
    extent: float  # longer side of that box, pixels
    towards_light: Array  # unit vector, camera axes
    ambient: Array  # colour of the light from everywhere
    diffuse: Array  # colour of the light from `towards_light`
    haze: Array  # colour of the air between body and camera
    thickness: float  # share of `haze` in what is seen, 0 to 1


def colours(*names: str) -> Array:
    """Return named or hexadecimal colours, [n, 3]."""
    return np.array([ImageColor.getrgb(name) for name in names]) / 255


def ring(centre: ArrayLike, across: ArrayLike, along: ArrayLike, sides: int) -> Array:
    """Return an ellipse of `sides` points with two half-axes, [sides, 3]."""
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)[:, None]
    return np.asarray(np.cos(angles) * across + np.sin(angles) * along + np.asarray(centre))


def loft(rings: Sequence[Array], colour: Array) -> list[Face]:
    """Join rings of equal point count into a closed surface."""
    faces = [Face(rings[0], colour), Face(rings[-1], colour)]
    for near, far in zip(rings, rings[1:], strict=False):
        quads = np.stack([near, np.roll(near, -1, axis=0), np.roll(far, -1, axis=0), far], axis=1)
        faces += [Face(quad, colour) for quad in quads]
    return faces


def hull(stations: ArrayLike, colour: Array) -> list[Face]:
    """Build a smooth body along x through stations (x, z, half width, half height)."""
    rows = np.asarray(stations)
    curve = PchipInterpolator(range(len(rows)), rows)(np.linspace(0, len(rows) - 1, 12))
    return loft([ring((x, 0, z), (0, w, 0), (0, 0, h), 12) for x, z, w, h in curve], colour)


def tube(start: ArrayLike, end: ArrayLike, radius: float, colour: Array) -> list[Face]:
    """Build a bar between two points."""
    axis = np.subtract(end, start) / np.linalg.norm(np.subtract(end, start))
    across = np.cross(axis, (0.0, 0, 1) if abs(axis[2]) < 0.9 else (1.0, 0, 0))
    across *= radius / np.linalg.norm(across)
    return loft([ring(point, across, np.cross(axis, across), 6) for point in (start, end)], colour)


def sheet(front: Array, back: Array, stripes: Sequence[Array], camber: float) -> list[Face]:
    """Build a striped sheet between two edges, [n, 3], arched by `camber`, a share of its width."""
    lift = np.linalg.norm(front - back, axis=1, keepdims=True) * (0, 0, 4 * camber)
    shares = np.linspace(0, 1, len(stripes) + 1)
    lines = [front + (back - front) * share + lift * share * (1 - share) for share in shares]
    return [
        Face(np.stack([near[i], near[i + 1], far[i + 1], far[i]]), colour)
        for near, far, colour in zip(lines, lines[1:], stripes, strict=False)
        for i in range(len(near) - 1)
    ]


def mirrored(faces: Sequence[Face]) -> list[Face]:
    """Return the faces and their reflections left to right."""
    return [*faces, *(face._replace(points=face.points * (1, -1, 1)) for face in faces)]


def render(image: Image.Image, faces: Sequence[Face], scene: Scene) -> None:
    """Draw a body onto an RGB image in place, with smooth edges; what lies outside is cut."""
    sizes = np.array([len(face.points) for face in faces])
    starts = np.cumsum(sizes) - sizes
    turned = scene.rotation.apply(np.concatenate([face.points for face in faces]))
    flat = turned[:, :2] / (1 - 0.15 * turned[:, 2:] / np.abs(turned).max())  # perspective
    low, high = flat.min(axis=0), flat.max(axis=0)
    scale = scene.extent / (high - low).max()
    flat = (flat - (low + high) / 2) * (scale, -scale) + scene.centre
    left, top = np.clip(flat.min(axis=0) - 2, 0, image.size).astype(int).tolist()
    right, bottom = np.clip(flat.max(axis=0) + 3, 0, image.size).astype(int).tolist()
    if left >= right or top >= bottom:
        return
    fine = 4  # pixels are drawn that much smaller, then averaged
    size = ((right - left) * fine, (bottom - top) * fine)
    canvas = image.crop((left, top, right, bottom)).resize(size, Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(canvas, "RGBA")
    outlines = np.split((flat - (left, top)) * fine, starts[1:])
    fills = _shade(faces, [turned[starts + sizes * part // 4] for part in range(4)], scene)
    for i in np.argsort(np.add.reduceat(turned[:, 2], starts) / sizes, kind="stable"):
        pen.polygon(outlines[i].ravel().tolist(), fill=tuple(fills[i].tolist()))
    image.paste(canvas.reduce(fine), (left, top))


def _shade(faces: Sequence[Face], corners: list[Array], scene: Scene) -> NDArray[np.uint8]:
    """Return each face's RGBA after light and haze, [faces, 4]; both sides are lit alike."""
    normal = np.cross(corners[0] - corners[2], corners[1] - corners[3])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    normal *= np.where(normal[:, 2:] < 0, -1, 1)
    slope = np.clip(normal @ scene.towards_light, 0, None)[:, None]
    light = scene.ambient * (0.8 + 0.2 * normal[:, 1:2]) + scene.diffuse * slope
    seen = np.array([face.colour for face in faces]) * light
    seen += (scene.haze - seen) * scene.thickness
    alphas = np.array([face.alpha for face in faces])
    return np.round(np.column_stack([seen, alphas]).clip(0, 1) * 255).astype(np.uint8)
