"""Bodies to draw: birds, large copters, small quadcopters and aeroplanes.

`paints` are a body's main, second and accent colour, [3, 3]. Arms and wings are about 1 long.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from samples.shapes import Array, Face, Rng, colours, hull, mirrored, ring, sheet, tube

_CARBON, _LENS, _BEAK, _RED, _GREEN = colours("#212124", "#0d0f17", "#b87a2a", "#f33", "#4f8")
_UP = np.array((0.0, 0.0, 1.0))

# Of a wing: length, depth at the shoulder, distance of the tip behind the wrist, fullness from 1
# (pointed) to 4 (broad), spread feathers at the tip. Then half the body's width, the lengths of
# neck and tail, and the tail's notch as a share of the tail (below 0: a wedge).
BIRDS = (
    (1.45, 0.40, 0.45, 1.5, 0, 0.14, 0.05, 0.30, 0.0),  # gull
    (1.35, 0.62, 0.15, 3.5, 5, 0.15, 0.00, 0.38, -0.15),  # eagle
    (1.10, 0.36, 0.75, 1.2, 0, 0.12, 0.00, 0.45, 0.6),  # swallow
    (1.10, 0.40, 0.30, 1.9, 0, 0.15, 0.45, 0.18, -0.1),  # goose
    (1.00, 0.50, 0.30, 2.2, 0, 0.17, 0.00, 0.38, 0.0),  # pigeon
    (1.10, 0.52, 0.20, 3.0, 5, 0.15, 0.00, 0.36, -0.2),  # crow
    (1.35, 0.55, 0.15, 3.0, 4, 0.12, 0.50, 0.15, 0.0),  # stork
    (0.85, 0.42, 0.20, 2.2, 0, 0.19, 0.00, 0.40, 0.15),  # finch
)


def bird(rng: Rng, paints: Array, kind: Array) -> list[Face]:
    """Build a bird of a row of `BIRDS`; back, belly and wing tips have the three colours."""
    girth, neck, tail, fork = kind[5:]
    head = 0.42 + neck
    profile = [(-0.55, 0.03), (-0.3, girth * 0.7), (0, girth), (0.25, girth * 0.8)]
    profile += [(0.25 + neck * 0.5, girth * 0.45), (head, 0.08), (head + 0.08, 0.04)]
    faces = [
        face._replace(colour=paints[1]) if face.points[:, 2].mean() < -0.02 else face
        for face in hull([(x, 0.06 * max(0, x), r, r) for x, r in profile], paints[0])
    ]
    faces += hull([(head, 0.04, 0.035, 0.035), (head + 0.2, 0.03, 0.005, 0.008)], _BEAK)
    end, half = -0.52 - tail, 0.06 + tail * rng.uniform(0.1, 0.5)
    outline = ((-0.42, 0.04), (end, half), (end + fork * tail, 0), (-0.42, 0))
    feathers = np.array([(x, y, 0.02) for x, y in outline])
    return faces + mirrored([Face(feathers, paints[0] * 0.85), *_wing(rng, paints, kind)])


def _wing(rng: Rng, paints: Array, kind: Array) -> list[Face]:
    """Build the left wing: shoulder, wrist and tip on an arc that follows the beat."""
    span, depth, sweep, fullness, fingers, girth, *_ = kind
    beat, swing = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 1.0)
    share = np.linspace(0, 0.8 if fingers else 0.995, 10)
    hand = np.clip((share - 0.3) / 0.4, 0, 1)
    angle = (0.1 + swing * np.sin(beat)) * (1 - hand) + swing * 1.1 * np.sin(beat - 0.8) * hand
    fold = rng.uniform(0, 0.35) * max(0.0, np.cos(beat))
    step = np.diff(share, prepend=0) * span * (1 - fold * 0.6 * hand)
    forward = 0.16 + 0.45 * np.minimum(share, 0.4) * (0.4 + fold)
    forward -= (sweep + fold) * np.clip(share - 0.4, 0, 1) ** 1.4 * span
    outward = np.cumsum(step * np.cos(angle)) + girth * 0.5
    front = np.column_stack([forward, outward, 0.04 + np.cumsum(step * np.sin(angle))])
    chord = depth * (1 - share**fullness) ** (1 / max(1.0, fullness * 0.7))
    back = front - chord[:, None] * (1, 0, 0)
    coverts, flight, tip = paints * [[1], [0.8], [0.6]]
    faces = sheet(front[:8], back[:8], (coverts, coverts * 0.9, flight, flight * 0.92), 0.07)
    faces += sheet(front[7:], back[7:], (tip,) * 4, 0.07)
    along = np.array((0.0, np.cos(angle[-1]), np.sin(angle[-1])))
    half = np.array((depth * 0.09, 0, 0))
    for where in np.linspace(0, 1, int(fingers)):
        base, turn = front[-1] + (back[-1] - front[-1]) * where, 0.25 - 1.3 * where
        length = span * (0.33 - 0.1 * where)
        end = base + (along * np.cos(turn) + (np.sin(turn), 0, 0.15)) * length
        outline = [base + half, end + half * 0.5, end - half * 0.3, base - half]
        faces.append(Face(np.array(outline), flight))
    return faces


def small_quadcopter(rng: Rng, paints: Array) -> list[Face]:
    """Build a hobby quadcopter: four short arms, a compact hull, lights, perhaps guards."""
    main, second, accent = paints
    long, wide, high = rng.uniform((0.3, 0.15, 0.1), (0.45, 0.26, 0.17))
    profile = ((-1, 0.55), (-0.7, 0.9), (0, 1), (0.6, 0.9), (1, 0.45))
    faces = hull([(long * x, 0, wide * size, high * size) for x, size in profile], main)
    faces += tube((long * 0.7, 0, -high * 0.9), (long + 0.05, 0, -high), 0.07, _LENS)
    guarded, radius, rise = rng.random() < 0.35, rng.uniform(0.27, 0.36), rng.uniform(0, 0.1)
    x, y = rng.uniform(0.44, 0.53) * np.array((1, rng.uniform(0.9, 1.15)))
    ends = ring((0, 0, rise), (x, y, 0), (-x, y, 0), 4)
    for end, light in zip(ends, (_GREEN, _RED, _RED, _GREEN), strict=True):
        faces += _arm(rng, end, 0.04, radius, (main, second, accent if guarded else _CARBON))
        faces += tube(end - _UP * 0.03, end - _UP * 0.17, 0.035, light)
        if guarded:
            hoop = ring(end, (radius * 1.12, 0, 0), (0, radius * 1.12, 0), 20)[[*range(20), 0]]
            faces += sheet(hoop, hoop + _UP * 0.09, (accent,), 0)
    return faces


def large_quadcopter(rng: Rng, paints: Array) -> list[Face]:
    """Build a heavy lifter: six or eight long arms, tall landing gear, a load below."""
    main, second, accent = paints
    count, hub, gear = int(rng.choice((6, 8))), rng.uniform(0.22, 0.32), rng.uniform(0.42, 0.6)
    faces = tube((0, 0, -0.06), (0, 0, 0.1), hub, main)
    length, rise = rng.uniform(0.9, 1.05), rng.uniform(-0.02, 0.12)
    radius = length * np.sin(np.pi / count) * rng.uniform(0.78, 0.96)
    for end in ring((0, 0, rise), (length, 0, 0), (0, length, 0), count):
        faces += _arm(rng, end, 0.033, radius, (_CARBON, main, _CARBON))
        faces += tube(end * 0.42, end * 0.5, 0.045, accent)
    skid = tube((-0.42, 0.4, -gear), (0.42, 0.4, -gear), 0.026, second)
    for fore in (-hub, hub):
        skid += tube((fore * 0.6, hub * 0.5, -0.04), (fore * 0.8, 0.4, -gear), 0.02, _CARBON)
    faces += mirrored(skid)
    faces += tube((-0.25, 0, -0.23), (0.25, 0, -0.23), rng.uniform(0.14, 0.19), accent)
    if rng.random() < 0.5:  # a spraying boom
        faces += tube((-0.15, -0.95, -gear * 0.8), (-0.15, 0.95, -gear * 0.8), 0.018, second)
    return faces


def _arm(rng: Rng, end: Array, width: float, radius: float, paints: ArrayLike) -> list[Face]:
    """Build an arm from the hub to `end` with a motor and its propeller of the given radius."""
    arm, motor, blade = np.asarray(paints)
    top = end + _UP * radius * 0.28
    faces = tube(end * (0.2, 0.2, 0), end, width, arm)
    faces += tube(end - _UP * radius * 0.12, top, radius * 0.16, motor)
    return faces + _rotor(rng, top, ((radius, 0, 0), (0, radius, 0)), blade)


def _rotor(rng: Rng, centre: ArrayLike, axes: ArrayLike, colour: Array) -> list[Face]:
    """Build a turning propeller with two blades; `axes` are the half-axes of its circle, [2, 3]."""
    (first, second), angle = np.asarray(axes), rng.uniform(0, np.pi)
    along = np.cos(angle) * first + np.sin(angle) * second
    across = (np.cos(angle) * second - np.sin(angle) * first) * 0.1
    corners = ((0.4, -1), (1, 0), (0.4, 1), (-0.4, 1), (-1, 0), (-0.4, -1))
    blades = np.array(corners) @ (along, across) + np.asarray(centre)
    return [Face(ring(centre, first, second, 20), colour, alpha=0.25), Face(blades, colour)]


def winged_drone(rng: Rng, paints: Array) -> list[Face]:
    """Build an unmanned aeroplane: a flying wing, or one with a V-tail or a straight tail."""
    style = rng.choice(("flying wing", "v-tail", "straight"))
    half, fat, pusher = rng.uniform(0.8, 1.2), rng.uniform(0.07, 0.1), rng.random() < 0.5
    if style == "flying wing":
        chord, pusher = rng.uniform(0.42, 0.6), True
        root, narrow = chord * 0.6, chord * rng.uniform(0.3, 0.5)
        stern, nose = root - chord, root + 0.12
        profile = [(stern, 0.5), (0.0, 1.0), (root, 0.9), (nose, 0.35)]
        tip = (root - half * rng.uniform(0.35, 0.65), half, 0.03)
        faces = _panels((root, 0, 0), tip, (chord, narrow), paints)
    else:
        nose, chord, size = rng.uniform((0.5, 0.2, 0.16), (0.65, 0.3, 0.22))
        height, end, stern = fat * rng.uniform(-0.2, 1), size * 0.9 - nose, -nose
        profile = [(stern, 0.45), (-0.1, 0.95), (nose * 0.5, 1.2), (nose * 0.85, 0.8), (nose, 0.2)]
        tip = (0.1 - rng.uniform(0, 0.15), half, height + half * rng.uniform(0, 0.1))
        faces = _panels((0.16, 0, height), tip, (chord, chord * 0.65), paints)
        fins = [(end - 0.08, 1.7 * size, 1.6 * size if height > 0 else -1.6 * size)]
        if style == "straight":
            fins = [(end - 0.05, 2 * size, 0), (end - 0.1, 0, 1.5 * size)]
        for fin in fins:
            faces += _panels((end, 0, 0.02), fin, (size, size * 0.7), paints)
    faces += hull([(x, 0, fat * size, fat * size) for x, size in profile], paints[0])
    x, radius = stern - 0.03 if pusher else nose + 0.02, rng.uniform(0.15, 0.22)
    return faces + _rotor(rng, (x, 0, 0.01), ((0, radius, 0), (0, 0, radius)), _CARBON)


def _panels(root: ArrayLike, tip: ArrayLike, chords: ArrayLike, paints: Array) -> list[Face]:
    """Build a left wing or fin with a painted end and the right one.

    `root` and `tip` are its leading corners, `chords` its depths there.
    """
    shares = np.array([(1, 0), (0.22, 0.78), (0, 1)])
    front = shares @ np.array((root, tip))
    back = front - (shares @ np.asarray(chords))[:, None] * (1, 0, 0)
    faces = sheet(front[:2], back[:2], (paints[0],) * 3, 0.06)
    return mirrored(faces + sheet(front[1:], back[1:], (paints[2],) * 3, 0.06))
