"""Birds: eight kinds, each in one moment of its wing beat. Lengths are in body lengths."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from samples.solids import (
    Array,
    Chance,
    Colour,
    Face,
    Livery,
    mirrored,
    shaded,
    sheet,
    spindle,
    tube,
)


@dataclass(frozen=True)
class Bird:
    """What makes a kind of bird; lengths in body lengths.

    Attributes:
        span: Length of one wing.
        chord: Depth of the wing at the shoulder.
        sweep: How far the tip lies behind the wrist.
        fullness: 1 for a pointed wing, 4 for a broad one.
        fingers: Spread feathers at the tip.
        girth: Half the body's width.
        neck: Length of the stretched neck.
        tail: Length of the tail.
        fork: Depth of the tail's notch, as a share of the tail; below 0 for a wedge.
        legs: How far the legs trail behind.
        beak: Length of the beak.
    """

    span: float
    chord: float
    sweep: float
    fullness: float
    fingers: int
    girth: float
    neck: float
    tail: float
    fork: float
    legs: float
    beak: float


_BIRDS = (
    Bird(1.45, 0.40, 0.45, 1.5, 0, 0.14, 0.05, 0.30, 0.0, 0.0, 0.12),  # gull
    Bird(1.35, 0.62, 0.15, 3.5, 5, 0.15, 0.00, 0.38, -0.15, 0.0, 0.08),  # eagle
    Bird(1.10, 0.36, 0.75, 1.2, 0, 0.12, 0.00, 0.45, 0.6, 0.0, 0.04),  # swallow
    Bird(1.10, 0.40, 0.30, 1.9, 0, 0.15, 0.45, 0.18, -0.1, 0.0, 0.10),  # goose
    Bird(1.00, 0.50, 0.30, 2.2, 0, 0.17, 0.00, 0.38, 0.0, 0.0, 0.06),  # pigeon
    Bird(1.10, 0.52, 0.20, 3.0, 5, 0.15, 0.00, 0.36, -0.2, 0.0, 0.14),  # crow
    Bird(1.35, 0.55, 0.15, 3.0, 4, 0.12, 0.50, 0.15, 0.0, 0.45, 0.28),  # stork
    Bird(0.85, 0.42, 0.20, 2.2, 0, 0.19, 0.00, 0.40, 0.15, 0.0, 0.08),  # finch
)


def choose_bird(rng: Chance) -> Bird:
    """Return one kind of bird."""
    return _BIRDS[int(rng.integers(len(_BIRDS)))]


def bird(rng: Chance, livery: Livery, kind: Bird) -> list[Face]:
    """Build a bird in one moment of its wing beat."""
    back, belly = livery.main, livery.second
    reach = 0.42 + kind.neck
    neck = 0.45 * kind.girth
    body = [
        (-0.55, 0.02, 0.04, 0.03),
        (-0.30, 0.0, kind.girth * 0.7, kind.girth * 0.7),
        (0.0, 0.0, kind.girth, kind.girth * 1.05),
        (0.25, 0.02, kind.girth * 0.8, kind.girth * 0.85),
        (0.25 + kind.neck * 0.5, 0.04, max(neck, 0.06), max(neck, 0.06)),
        (reach - 0.05, 0.06, 0.085, 0.09),
        (reach + 0.05, 0.06, 0.05, 0.055),
    ]
    faces = [
        replace(face, colour=belly) if face.points[:, 2].mean() < -0.02 else face
        for face in spindle(body, back, sides=12)
    ]
    beak = (0.85, 0.55, 0.15) if rng.random() < 0.5 else (0.2, 0.19, 0.18)
    faces += spindle(
        [(reach + 0.02, 0.055, 0.035, 0.035), (reach + 0.05 + kind.beak, 0.04, 0.005, 0.008)],
        beak,
        sides=6,
    )
    faces += _tail(kind, shaded(back, 0.85), rng.uniform(0.1, 0.5))
    if kind.legs:
        for side in (-0.03, 0.03):
            faces += tube((-0.3, side, -0.06), (-0.5 - kind.legs, side, -0.04), 0.014, beak, 4)
    return faces + mirrored(_wing(rng, livery, kind))


def _tail(kind: Bird, colour: Colour, spread: float) -> list[Face]:
    root, end, half = -0.42, -0.52 - kind.tail, 0.06 + kind.tail * spread
    notch = end + kind.fork * kind.tail
    outline = [(root, 0.04, 0.02), (end, half, 0.02), (notch, 0, 0.02)]
    return mirrored([Face(np.array([*outline, (root, 0, 0.02)]), colour)])


def _wing(rng: Chance, livery: Livery, kind: Bird) -> list[Face]:
    """Build the left wing: shoulder, wrist and tip on an arc that follows the beat."""
    beat, swing = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 1.0)
    shoulder = 0.1 + swing * np.sin(beat)
    hand = swing * 1.1 * np.sin(beat - 0.8) - 0.05
    fold = rng.uniform(0, 0.35) * max(0.0, np.cos(beat))
    share = np.linspace(0, 0.8 if kind.fingers else 0.995, 10)
    bend = np.clip((share - 0.3) / 0.4, 0, 1)
    angle = shoulder * (1 - bend) + hand * bend
    step = np.diff(share, prepend=0) * kind.span * (1 - fold * 0.6 * bend)
    forward = 0.16 + 0.45 * np.minimum(share, 0.4) * (0.4 + fold)
    forward -= (kind.sweep + fold) * np.clip(share - 0.4, 0, 1) ** 1.4 * kind.span
    chord = kind.chord * (1 - share**kind.fullness) ** (1 / max(1.0, kind.fullness * 0.7))
    front = np.column_stack(
        [
            forward,
            kind.girth * 0.5 + np.cumsum(step * np.cos(angle)),
            0.04 + np.cumsum(step * np.sin(angle)),
        ]
    )
    back = front - np.column_stack([chord, np.zeros((len(share), 2))])
    coverts, flight = livery.main, shaded(livery.second, 0.8)
    bands = (coverts, shaded(coverts, 0.9), flight, shaded(flight, 0.92))
    painted = 7 if rng.random() < 0.5 else 9
    faces = sheet(front[: painted + 1], back[: painted + 1], bands, 0.07)
    faces += sheet(front[painted:], back[painted:], (shaded(livery.accent, 0.6),) * 4, 0.07)
    if kind.fingers:
        faces += _fingers(front[-1], back[-1], float(angle[-1]), kind, flight)
    return faces


def _fingers(front: Array, back: Array, angle: float, kind: Bird, colour: Colour) -> list[Face]:
    """Build the spread feathers beyond the hand."""
    faces = []
    outward = np.array((0.0, np.cos(angle), np.sin(angle)))
    for share in np.linspace(0, 1, kind.fingers):
        base = front * (1 - share) + back * share
        turn = 0.25 - 1.3 * share
        along = outward * np.cos(turn) + np.array((np.sin(turn), 0, 0.15))
        tip = base + along * kind.span * (0.33 - 0.1 * share)
        half = np.array((kind.chord * 0.09, 0, 0))
        faces.append(
            Face(np.array([base + half, tip + half * 0.5, tip - half * 0.3, base - half]), colour)
        )
    return faces
