"""Drones: large copters, small quadcopters and aeroplanes. Arms and wings are about 1 long."""

from __future__ import annotations

import numpy as np

from samples.solids import (
    Array,
    Chance,
    Colour,
    Face,
    Livery,
    blades,
    box,
    lamp,
    loft,
    mirrored,
    ring,
    rotor,
    shaded,
    spindle,
    tube,
)

_CARBON: Colour = (0.13, 0.13, 0.14)
_LENS: Colour = (0.05, 0.06, 0.09)
_RED: Colour = (1.0, 0.15, 0.1)
_GREEN: Colour = (0.2, 1.0, 0.35)
_WHITE: Colour = (1.0, 1.0, 0.95)
_UP = np.array((0.0, 0.0, 1.0))


def _arm_ends(count: int, length: float, offset: float, squash: float) -> Array:
    """Return where the arms of a copter end, [count, 3], around the origin."""
    angles = offset + np.arange(count) * 2 * np.pi / count
    return np.column_stack(
        [np.cos(angles) * length, np.sin(angles) * length * squash, np.zeros(count)]
    )


def _motor(rng: Chance, end: Array, radius: float, colour: Colour, blade: Colour) -> list[Face]:
    """Build a motor on the end of an arm, with its propeller of the given radius."""
    top = end + _UP * radius * 0.28
    sweep = (np.array((radius, 0, 0)), np.array((0, radius, 0)))
    return tube(end - _UP * radius * 0.12, top, radius * 0.16, colour) + rotor(
        top + _UP * 0.01, sweep, rng, blade
    )


def small_quadcopter(rng: Chance, livery: Livery) -> list[Face]:
    """Build a hobby quadcopter: four short arms, a compact hull, lights."""
    long, wide, high = rng.uniform(0.3, 0.45), rng.uniform(0.15, 0.26), rng.uniform(0.1, 0.17)
    faces = spindle(
        [
            (-long, 0, wide * 0.55, high * 0.55),
            (-long * 0.7, 0.01, wide * 0.9, high * 0.9),
            (0, 0.02, wide, high),
            (long * 0.6, 0.01, wide * 0.9, high * 0.85),
            (long, -0.01, wide * 0.5, high * 0.4),
        ],
        livery.main,
        sides=12,
    )
    faces += box((-0.05, 0, high), (long, wide * 0.9, high * 0.3), livery.second)
    guarded = rng.random() < 0.35
    radius = rng.uniform(0.27, 0.36)
    ends = _arm_ends(4, rng.uniform(0.62, 0.75), np.pi / 4, rng.uniform(0.9, 1.15))
    rise = rng.uniform(0, 0.1)
    arm = livery.main if rng.random() < 0.6 else livery.second
    for end in ends + _UP * rise:
        faces += tube(end * (0.25, 0.2, 0.0), end, rng.uniform(0.035, 0.05), arm)
        faces += _motor(rng, end, radius, livery.second, livery.accent if guarded else _CARBON)
        if guarded:
            faces += _guard(end, radius * 1.12, livery.accent)
        foot = end - _UP * rng.uniform(0.14, 0.2)
        faces += tube(end, foot, 0.025, arm, 4)
    for end, colour in zip(ends, _lights(rng), strict=True):
        faces += lamp(end + _UP * (rise - 0.07), 0.05, colour)
    faces += box((long * 0.85, 0, -high * 0.9), (0.14, 0.15, 0.13), _CARBON)
    faces += tube((long * 0.9, 0, -high * 0.9), (long * 0.9 + 0.09, 0, -high), 0.05, _LENS, 8)
    return faces


def _lights(rng: Chance) -> tuple[Colour, ...]:
    """Return the lights of the four arms: two in front, then astern, or all alike."""
    if rng.random() < 0.3:
        return (_WHITE,) * 4
    return (_GREEN, _RED, _RED, _GREEN) if rng.random() < 0.5 else (_WHITE, _RED, _RED, _WHITE)


def _guard(centre: Array, radius: float, colour: Colour) -> list[Face]:
    """Build the hoop that keeps fingers out of a propeller."""
    low = ring(centre, (radius, 0, 0), (0, radius, 0), 20)
    high = low + _UP * 0.09
    around = np.roll(low, -1, axis=0), np.roll(high, -1, axis=0)
    quads = np.stack([low, around[0], around[1], high], axis=1)
    return [Face(quad, colour) for quad in quads]


def large_quadcopter(rng: Chance, livery: Livery) -> list[Face]:
    """Build a heavy lifter: six or eight long arms, tall landing gear, a load below."""
    count = int(rng.choice((6, 8)))
    hub = rng.uniform(0.22, 0.32)
    rings = [
        ring((0, 0, z), (hub * w, 0, 0), (0, hub * w, 0), count)
        for z, w in ((-0.06, 0.9), (-0.02, 1.05), (0.07, 1.0), (0.12, 0.6))
    ]
    faces = loft(rings, livery.main)
    faces += box((0, 0, 0.16), (hub * 0.9, hub * 0.6, 0.1), livery.second)
    faces += tube((-hub * 0.5, 0, 0.1), (-hub * 0.5, 0, 0.34), 0.012, _CARBON, 4)
    faces += tube((-hub * 0.5, 0, 0.34), (-hub * 0.5, 0, 0.37), 0.05, livery.second, 8)
    length = rng.uniform(0.9, 1.05)
    radius = length * np.sin(np.pi / count) * rng.uniform(0.78, 0.96)
    rise = rng.uniform(-0.02, 0.12)
    arm = _CARBON if rng.random() < 0.6 else livery.second
    for end in _arm_ends(count, length, rng.choice((0, np.pi / count)), 1.0):
        tip = end + _UP * rise
        faces += tube(end * 0.15, tip, rng.uniform(0.026, 0.04), arm)
        faces += tube(tip * 0.42, tip * 0.5, 0.045, livery.accent)
        faces += _motor(rng, tip, radius, livery.main, _CARBON)
    gear = rng.uniform(0.42, 0.6)
    faces += _landing_gear(hub, gear, arm, livery.second)
    load = rng.random()
    if load < 0.5:
        faces += _spray_tank(rng, livery, gear)
    elif load < 0.75:
        faces += box((0, 0, -0.26), (0.42, 0.34, 0.3), livery.accent, taper=0.85)
        faces += box((0, 0, -0.14), (0.44, 0.36, 0.05), livery.second)
    else:
        faces += tube((0, 0, -0.05), (0, 0, -0.2), 0.04, _CARBON)
        faces += box((0, 0, -0.22), (0.2, 0.26, 0.06), livery.second)
        faces += spindle(
            [(-0.1, -0.33, 0.06, 0.07), (0, -0.33, 0.11, 0.11), (0.12, -0.33, 0.07, 0.07)], _LENS
        )
    return faces


def _landing_gear(hub: float, height: float, legs: Colour, skids: Colour) -> list[Face]:
    """Build two skids on splayed legs, `height` below the hub."""
    faces = []
    for fore in (-0.6, 0.6):
        faces += tube((hub * fore, hub * 0.5, -0.04), (hub * fore * 1.3, 0.4, -height), 0.02, legs)
    faces += tube((-0.42, 0.4, -height), (0.42, 0.4, -height), 0.026, skids)
    return mirrored(faces)


def _spray_tank(rng: Chance, livery: Livery, gear: float) -> list[Face]:
    """Build a tank below the hub and, on most, a spraying boom with nozzles."""
    tank = shaded(livery.accent, 1.25)
    faces = spindle(
        [
            (-0.3, -0.22, 0.08, 0.08),
            (-0.22, -0.23, 0.2, 0.15),
            (0.2, -0.23, 0.2, 0.15),
            (0.3, -0.22, 0.08, 0.08),
        ],
        tank,
        sides=10,
    )
    faces += tube((0.05, 0, -0.08), (0.05, 0, -0.04), 0.07, livery.second, 8)
    if rng.random() < 0.7:
        low = -gear * 0.8
        faces += tube((-0.15, -0.95, low), (-0.15, 0.95, low), 0.015, livery.second, 4)
        for side in (-0.9, -0.45, 0.45, 0.9):
            faces += tube((-0.15, side, low), (-0.15, side, low - 0.08), 0.022, _CARBON, 4)
    return faces


def winged_drone(rng: Chance, livery: Livery) -> list[Face]:
    """Build an unmanned aeroplane: flying wing, V-tail, twin boom or straight tail."""
    style = rng.choice(("flying wing", "v-tail", "twin boom", "straight"))
    if style == "flying wing":
        return _flying_wing(rng, livery)
    long, fat = rng.uniform(0.5, 0.65), rng.uniform(0.07, 0.1)
    nose = rng.uniform(1.0, 1.35)
    tail_end = -0.45 if style == "twin boom" else -long
    faces = spindle(
        [
            (tail_end, 0.02, fat * 0.45, fat * 0.45),
            (-0.1, 0, fat * 0.9, fat),
            (long * 0.5, 0, fat * nose, fat * nose),
            (long * 0.85, 0, fat * 0.8, fat * 0.8),
            (long, -0.01, fat * 0.15, fat * 0.15),
        ],
        livery.main,
        sides=12,
    )
    half, chord = rng.uniform(0.85, 1.25), rng.uniform(0.2, 0.3)
    height = fat * rng.uniform(-0.2, 1.0)
    root = np.array((0.16, 0, height))
    tip = np.array((0.1 - rng.uniform(0, 0.15), half, height + half * rng.uniform(0, 0.1)))
    faces += mirrored(_panel(root, tip, chord, chord * rng.uniform(0.45, 0.85), livery))
    if rng.random() < 0.3:
        faces += mirrored(_panel(tip, tip + (-0.08, 0.02, 0.14), chord * 0.5, chord * 0.3, livery))
    faces += _empennage(str(style), livery, long, height, rng.uniform(0.16, 0.22))
    pusher = style == "twin boom" or rng.random() < 0.5
    faces += _propeller(rng, tail_end - 0.03 if pusher else long + 0.02, rng.uniform(0.15, 0.22))
    if rng.random() < 0.5:
        faces += spindle(
            [
                (long * 0.4, -fat * 1.4, 0.03, 0.03),
                (long * 0.5, -fat * 1.5, 0.055, 0.055),
                (long * 0.6, -fat * 1.4, 0.03, 0.03),
            ],
            _LENS,
            sides=8,
        )
    return faces


def _panel(root: Array, tip: Array, chord: float, tip_chord: float, livery: Livery) -> list[Face]:
    """Build a straight, stiff wing or fin with a painted end."""
    faces = []
    for start, end, colour in ((0.0, 0.78, livery.main), (0.78, 1.0, livery.accent)):
        rings = []
        for share in (start, end):
            depth = chord + (tip_chord - chord) * share
            front = root + (tip - root) * share
            upper = _UP * depth * 0.06
            back = np.array((depth, 0, 0))
            rings.append(
                np.array(
                    [front, front - back * 0.35 + upper, front - back, front - back * 0.35 - upper]
                )
            )
        faces += loft(rings, colour)
    return faces


def _empennage(style: str, livery: Livery, long: float, height: float, size: float) -> list[Face]:
    """Build the tail of a style; `size` is its chord."""
    end = np.array((-long + size * 0.9, 0, 0.02))
    if style == "v-tail":
        rise = 1.6 * size if height > 0 else -1.6 * size
        return mirrored(_panel(end, end + (-0.08, 1.7 * size, rise), size, size * 0.7, livery))
    if style == "twin boom":
        boom = np.array((0.0, 0.3, height))
        stern = np.array((-long - 0.2, 0.3, height))
        faces = tube(boom, stern, 0.025, livery.second)
        faces += _panel(
            stern + (size, 0, 0), stern + (size * 0.7, 0, 0.24), size, size * 0.7, livery
        )
        bar = stern + (size * 0.8, 0, 0.22)
        faces += _panel(bar * (1, 0, 1), bar, size * 0.8, size * 0.8, livery)
        return mirrored(faces)
    faces = mirrored(_panel(end, end + (-0.05, 2.0 * size, 0), size, size * 0.7, livery))
    return faces + _panel(end, end + (-0.1, 0, 1.5 * size), size, size * 0.6, livery)


def _flying_wing(rng: Chance, livery: Livery) -> list[Face]:
    """Build a swept wing without a tail, with winglets and a pusher propeller."""
    half, chord = rng.uniform(0.8, 1.1), rng.uniform(0.42, 0.6)
    tip_chord = chord * rng.uniform(0.3, 0.5)
    root = np.array((chord * 0.6, 0, 0))
    tip = np.array((root[0] - half * rng.uniform(0.35, 0.65), half, 0.03))
    faces = mirrored(_panel(root, tip, chord, tip_chord, livery))
    fin = tip + (-tip_chord * 0.6, 0.03, rng.uniform(0.14, 0.24))
    faces += mirrored(_panel(tip, fin, tip_chord, tip_chord * 0.5, livery))
    fat = rng.uniform(0.07, 0.11)
    faces += spindle(
        [
            (root[0] - chord, 0.03, fat * 0.5, fat * 0.5),
            (0, 0.03, fat, fat),
            (root[0], 0.01, fat, fat * 0.8),
            (root[0] + 0.12, 0, fat * 0.4, fat * 0.3),
        ],
        livery.second,
        sides=12,
    )
    return faces + _propeller(rng, root[0] - chord - 0.03, rng.uniform(0.15, 0.2))


def _propeller(rng: Chance, x: float, radius: float) -> list[Face]:
    """Build the propeller of an aeroplane, turning or still."""
    sweep = (np.array((0, radius, 0)), np.array((0, 0, radius)))
    faces = tube((x - 0.03, 0, 0.01), (x + 0.05, 0, 0.01), 0.035, _CARBON)
    if rng.random() < 0.6:
        return faces + rotor((x, 0, 0.01), sweep, rng, _CARBON)
    return faces + blades((x, 0, 0.01), sweep, rng.uniform(0, np.pi), 2, _CARBON)
