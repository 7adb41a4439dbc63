"""A chest film that belongs to nobody: bones, lungs and heart as thickness in a beam.

Laterality is the patient's, as in radiology: the patient faces the reader, so the
*left* lung and the heart's apex are on the *right-hand* side of the picture, and
that holds in every film. No intensity tells the lungs apart, and the heart is as
bright as the spine and the liver beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sample_data._draw import (
    FINE,
    Array,
    Mask,
    band,
    blur,
    clouds,
    edge,
    ellipse,
    grid,
    seeded,
    shrink,
    shrink_mask,
)

_Placed = Callable[[Array], Array]

TARGETS = ("left lung", "right lung", "heart", "lung opacity")


@dataclass(frozen=True, slots=True)
class Body:
    """One patient's build; lengths are parts of half the picture's side.

    Attributes
    ----------
    width : float
        Of the rib cage, from the midline to its side.
    apex : float
        Height of the lungs' tops.
    domes : tuple of float
        Heights of the right and left diaphragm.
    heart : float
        Size of the heart, 1 being usual.
    tilt : float
        Of the heart's long axis below the horizontal, in radians.
    first_rib, rib_gap, rib_drop : float
        Height of the first rib, distance between two, and fall from back to front.
    fat : float
        Soft tissue over the cage.
    """

    width: float
    apex: float
    domes: tuple[float, float]
    heart: float
    tilt: float
    first_rib: float
    rib_gap: float
    rib_drop: float
    fat: float


@dataclass(frozen=True, slots=True)
class Film:
    """One phantom film.

    Attributes
    ----------
    pixels : (192, 192) uint8 array
        Grey, 64 levels.
    masks : dict of str to (192, 192) bool array
        One for each of `TARGETS`; all False where the target is absent.
    caption : str
        What a report would say.
    """

    pixels: np.ndarray
    masks: dict[str, Mask]
    caption: str


def body(patient: int) -> Body:
    """Return the build of phantom patient number `patient`."""
    rng = seeded(11, patient)
    dome = rng.uniform(0.42, 0.58)
    return Body(
        width=rng.uniform(0.72, 0.84),
        apex=rng.uniform(-0.80, -0.70),
        domes=(dome, dome + rng.uniform(0.03, 0.09)),
        heart=rng.uniform(0.85, 1.25),
        tilt=rng.uniform(0.45, 0.85),
        first_rib=rng.uniform(-0.80, -0.74),
        rib_gap=rng.uniform(0.135, 0.16),
        rib_drop=rng.uniform(0.34, 0.48),
        fat=rng.uniform(0.10, 0.2),
    )


def film(patient: int, shot: int, opacity: bool) -> Film:
    """Take film number `shot` of a patient.

    Parameters
    ----------
    patient, shot : int
        The same pair gives the same film.
    opacity : bool
        Whether a patch of one lung is denser than it should be.
    """
    build, rng = body(patient), seeded(12, patient, shot)
    turn, shift = rng.uniform(-0.07, 0.07), rng.uniform(-0.06, 0.06, 2)
    scale = rng.uniform(0.93, 1.04)
    u, v = grid((shift[0], shift[1]), turn, scale)

    def place(points: Array) -> Array:
        """Body coordinates (N, 2) as rows and columns of the canvas."""
        x = scale * (np.cos(turn) * points[:, 0] - np.sin(turn) * points[:, 1])
        y = scale * (np.sin(turn) * points[:, 0] + np.cos(turn) * points[:, 1])
        return (np.stack([y + shift[1], x + shift[0]], 1) + 1) / 2 * FINE - 0.5

    heart = _heart(build, u, v)
    shadow = np.logical_or.accumulate(heart, axis=0)
    lungs = [_lung(build, side, u, v) & ~shadow for side in (-1, 1)]
    patch, where = np.zeros_like(heart), ""
    if opacity:
        patch, where = _patch(build, lungs, u, v, rng)
    thickness = (
        _soft_tissue(build, u, v)
        + _middle(u, v)
        + _bones(build, u, v, place)
        + _lung_air(lungs, rng, place)
        + 0.24 * blur(heart.astype(float), 2.5) * _round(heart)
        + 0.29 * blur(patch.astype(float), 3.0) * (1 + 0.13 * clouds(rng, 7))
        + _abdomen(build, u, v, rng)
    )
    masks = dict(zip(TARGETS, [lungs[1], lungs[0], heart, patch], strict=True))
    return Film(
        _expose(thickness, rng),
        {name: shrink_mask(mask) for name, mask in masks.items()},
        _caption(build, where),
    )


def _side(build: Body, v: Array) -> Array:
    """Distance of the lung's outer border from the midline at height `v`."""
    depth = np.clip((v - build.apex) / 0.95, 0.0, 1.0)
    rounded = (1 - (1 - depth) ** 2.3) ** 0.72
    return 0.12 + (build.width - 0.12) * rounded


def _lung(build: Body, side: int, u: Array, v: Array) -> Mask:
    """Aerated field of one lung: outside the mediastinum, above the diaphragm."""
    out = side * u
    outer = _side(build, v)
    inner = 0.115 + 0.05 * np.exp(-(((v + 0.02) / 0.16) ** 2))
    if side > 0:
        inner = inner + 0.07 * np.exp(-(((v + 0.30) / 0.10) ** 2))
    middle = 0.5 * build.width
    fall = np.clip(np.abs(out - middle) / (0.62 * build.width), 0, 1.4)
    dome = build.domes[0 if side < 0 else 1] + 0.30 * fall**2.2 - 0.02
    top = build.apex + 0.35 * np.maximum(0.30 - out, 0) ** 2
    inside = (out > inner) & (out < outer) & (v > top) & (v < dome)
    return np.asarray(inside, dtype=np.bool_)


def _heart(build: Body, u: Array, v: Array) -> Mask:
    size = build.heart
    floor = build.domes[1] - 0.02
    centre = (0.13 + 0.06 * (size - 1), floor - 0.25 * size)
    left = ellipse(u, v, centre, (0.36 * size, 0.25 * size), build.tilt)
    right = ellipse(u, v, (-0.05, floor - 0.24), (0.16 * size, 0.25 * size), 0.0)
    waist = ellipse(u, v, (0.06, floor - 0.46 * size), (0.15, 0.16 * size), 0.0)
    union = np.exp(-9 * left) + np.exp(-9 * right) + np.exp(-9 * waist)
    inside = np.log(union) > -9
    below = v > floor + 0.10 - 0.16 * np.abs(u - 0.15)
    return np.asarray(inside & ~below, dtype=np.bool_)


def _round(mask: Mask) -> Array:
    """Thickness of a body that is deepest in its middle, between 0.6 and 1."""
    deep = blur(mask.astype(float), 26)
    return 0.6 + 0.4 * deep / max(float(deep.max()), 1e-9)


def _soft_tissue(build: Body, u: Array, v: Array) -> Array:
    """Trunk, shoulders and neck; the air around them is 0."""
    flank = build.width + build.fat + 0.05 * np.clip(v, 0, 1)
    slope = np.clip((v + 1.02) / 0.34, 0, 1)
    half = 0.26 + 0.04 * build.fat + (1.15 - 0.26) * slope**1.5
    arm = np.clip((v + 0.55) / 0.35, 0, 1)
    half = half * (1 - arm) + flank * arm
    across = np.clip(np.abs(u) / half, 0, 1)
    inside = edge((np.abs(u) - half) * FINE / 2, 5)
    return inside * (0.42 + 0.30 * np.sqrt(1 - across**2) + 0.06 * np.clip(v, -1, 1))


def _middle(u: Array, v: Array) -> Array:
    """Spine, great vessels and the windpipe's air."""
    spine = edge((np.abs(u) - 0.085) * FINE / 2, 8)
    phase = (v * 8.2) % 1.0
    plates = np.exp(-(((phase - 0.12) / 0.09) ** 2)) + np.exp(
        -(((phase - 0.88) / 0.09) ** 2)
    )
    rims = np.exp(-(((np.abs(u) - 0.08) / 0.012) ** 2))
    process = np.exp(-((u / 0.016) ** 2) - (((phase - 0.5) / 0.25) ** 2))
    bone = spine * (0.09 + 0.035 * plates + 0.035 * process) + 0.03 * rims
    vessels = (
        0.15 * edge((np.abs(u) - 0.12) * FINE / 2, 14) * edge(-(v + 0.72) * 60, 30)
    )
    knob = 0.16 * edge((ellipse(u, v, (0.11, -0.30), (0.09, 0.10), 0) - 1) * 18, 5)
    tube = edge((np.abs(u + 0.01) - 0.032) * FINE / 2, 6) * edge((v + 0.2) * 190, 20)
    fork = np.exp(-(((np.abs(u) - 0.55 * (v + 0.22)) / 0.025) ** 2))
    fork = fork * ((v > -0.22) & (v < -0.04))
    return bone + vessels + knob - 0.17 * tube - 0.09 * fork


def _bones(build: Body, u: Array, v: Array, place: _Placed) -> Array:
    """Ribs front and back, collar bones, shoulder blades and shoulders."""
    total = np.zeros((FINE, FINE))
    angle = np.linspace(0.06, 2.55, 40)
    thick = 0.024 * FINE / 2
    for side in (-1, 1):
        for number in range(10):
            top = build.first_rib + number * build.rib_gap
            reach = _side(build, np.array(top + 0.12)) + 0.03
            x = side * (0.06 + (reach - 0.06) * np.sin(angle) ** 0.85)
            fall = build.rib_drop * (0.55 + 0.06 * number)
            y = top - 0.05 * np.sin(2 * angle) + fall * (1 - np.cos(angle)) / 2
            points = place(np.stack([x, y], 1))
            back = angle < 1.75
            front = (angle > 1.55) & (angle < 2.5 - 0.02 * number)
            for part, weight in ((back, 0.15), (front, 0.10)):
                if number > 7 and weight < 0.15:
                    continue
                rib = points[part]
                total += weight * band(rib, thick)
                total -= 0.45 * weight * band(rib, 0.6 * thick)
        t = np.linspace(0, 1, 24)
        collar = np.stack(
            [side * (0.05 + 0.80 * t), -0.60 - 0.14 * t + 0.05 * np.sin(6.3 * t)], 1
        )
        total += 0.17 * band(place(collar), thick * (1.25 - 0.5 * np.sin(np.pi * t)))
        blade = np.stack(
            [side * (build.width + 0.16 - 0.22 * t**0.6), -0.62 + 0.66 * t], 1
        )
        total += 0.10 * band(place(blade), thick * (1.0 + 2.2 * np.sin(np.pi * t)))
        head = ellipse(side * u, v, (1.0, -0.58), (0.13, 0.13), 0)
        total += 0.22 * edge((head - 1) * 25, 6)
    return blur(total, 1.5)


def _lung_air(lungs: list[Mask], rng: np.random.Generator, place: _Placed) -> Array:
    """Air takes thickness away; vessels that fan out from the hila give some back."""
    air = np.zeros((FINE, FINE))
    for lung in lungs:
        soft = lung.astype(float)
        deep = blur(soft, 16)
        air += blur(soft, 1.2) * (0.36 + 0.20 * deep / max(float(deep.max()), 1e-9))
    vessels = np.zeros((FINE, FINE))
    for side in (-1, 1):
        for _ in range(16):
            heading = side * rng.uniform(0.25, 2.9)
            steps = rng.integers(14, 30)
            turns = np.cumsum(rng.normal(0, 0.09, steps))
            du, dv = np.sin(heading + turns), -np.cos(heading + turns)
            x = side * 0.17 + np.cumsum(du) * 0.02
            y = 0.02 + np.cumsum(dv) * 0.02
            width = np.linspace(4.2, 0.9, steps) * rng.uniform(0.6, 1.0)
            vessels += 0.085 * band(place(np.stack([x, y], 1)), width)
    inside = (lungs[0] | lungs[1]).astype(float)
    grain = 0.014 * clouds(rng, 3.0)
    return -air + inside * (np.minimum(blur(vessels, 1.6), 0.2) + grain)


def _abdomen(build: Body, u: Array, v: Array, rng: np.random.Generator) -> Array:
    """Liver and spleen below the domes, and in half the films gas in the stomach."""
    below = edge((build.domes[0] - v) * FINE / 2, 70)
    bubble = ellipse(
        u, v, (0.36, build.domes[1] + 0.17), (rng.uniform(0.08, 0.16), 0.07), 0.2
    )
    gas = float(rng.choice([0.0, 0.16])) * edge((bubble - 1) * 20, 8)
    return 0.20 * below - gas


def _patch(
    build: Body, lungs: list[Mask], u: Array, v: Array, rng: np.random.Generator
) -> tuple[Mask, str]:
    """Return a cloudy patch inside one lung, and where it lies in the patient."""
    index = int(rng.integers(2))
    lower = bool(rng.integers(2))
    lung = lungs[index]
    height = build.domes[index] - build.apex
    fraction = rng.uniform(0.62, 0.78) if lower else rng.uniform(0.28, 0.45)
    v0 = build.apex + fraction * height
    # the middle of what the heart leaves visible there: no slivers beside a large one
    free = u[lung & (np.abs(v - v0) < 0.02)]
    u0 = free.min() + rng.uniform(0.4, 0.6) * (free.max() - free.min())
    radii = (rng.uniform(0.17, 0.24), rng.uniform(0.20, 0.27))
    outline = ellipse(u, v, (u0, v0), radii, rng.uniform(-0.6, 0.6))
    patch = (outline + 0.16 * clouds(rng, 16) + 0.03 * clouds(rng, 6) < 1) & lung
    zone = "lower" if lower else "upper"
    return patch, f"{zone} {('right', 'left')[index]}"


def _expose(thickness: Array, rng: np.random.Generator) -> np.ndarray:
    """Film response, scatter, exposure and grain; (192, 192) uint8, 64 levels."""
    scatter = 0.86 * blur(thickness, 0.9) + 0.14 * blur(thickness, 30)
    light = 1 - np.exp(-1.9 * np.clip(shrink(scatter), 0, None))
    low, high = np.percentile(light, [2, 99.5])
    light = np.clip((light - low) / (high - low), 0, 1)
    value = rng.uniform(0.02, 0.09) + rng.uniform(0.80, 0.90) * light ** rng.uniform(
        0.95, 1.45
    )
    grain = shrink(blur(rng.standard_normal((FINE, FINE)), 1.1))
    grain *= rng.uniform(0.008, 0.016) / grain.std()
    levels = np.clip(np.round((value + grain) * 63), 0, 63)
    return np.asarray(levels * 4, dtype=np.uint8)


def _caption(build: Body, where: str) -> str:
    heart = "Enlarged heart" if build.heart > 1.12 else "Heart of normal size"
    finding = f"opacity in the {where} lung" if where else "both lungs clear"
    return f"{heart}, {finding}."
