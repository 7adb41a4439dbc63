"""A stained section that belongs to nobody: nuclei of two sizes and glands.

Colours follow Beer and Lambert: haematoxylin (blue-purple, nuclei) and eosin (pink,
the rest) add up as optical density. Both sizes of nucleus take the same stain and lie
inside and outside of the glands, so only the words "large" and "small" tell them
apart; a gland is a wall of cells around a lumen and holds nuclei of both sizes, so
its mask overlaps theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sample_data._draw import (
    FINE,
    Array,
    Mask,
    blur,
    clouds,
    edge,
    seeded,
    shrink,
    shrink_mask,
)

TARGETS = ("large nuclei", "small nuclei", "gland")

RADII = {"large nuclei": (13.5, 17.0), "small nuclei": (7.0, 8.5)}
"""Mean radius in canvas pixels (half a picture pixel): no nucleus lies between."""

_HAEMATOXYLIN = np.array([0.66, 0.78, 0.36])
_EOSIN = np.array([0.12, 0.93, 0.42])
_LEVELS = (16, 9)


@dataclass(frozen=True, slots=True)
class Slide:
    """One phantom field of view.

    Attributes
    ----------
    pixels : (192, 192, 3) uint8 array
        RGB, at most 144 colours.
    index : (192, 192) uint8 array
        Row of `palette` for each pixel.
    palette : (144, 3) uint8 array
        The colours.
    masks : dict of str to (192, 192) bool array
        One for each of `TARGETS`; all False where the target is absent.
    caption : str
        What a report would say.
    """

    pixels: np.ndarray
    index: np.ndarray
    palette: np.ndarray
    masks: dict[str, Mask]
    caption: str


@dataclass(frozen=True, slots=True)
class Blob:
    """A closed outline around a centre, in canvas pixels.

    Attributes
    ----------
    row, col, radius : float
        Centre and mean radius.
    stretch, turn : float
        Long axis over short axis; its direction in radians.
    waves : (K, 2) array
        Size (part of the radius) and phase of the outline's waves 2, 3, ...
    """

    row: float
    col: float
    radius: float
    stretch: float
    turn: float
    waves: Array

    @property
    def reach(self) -> float:
        """Half the long axis, waves left out."""
        return float(self.radius * np.sqrt(self.stretch))

    def distance(self) -> tuple[tuple[slice, slice], Array]:
        """Return a window of the canvas and how far outside each pixel lies there."""
        reach = int(self.radius * self.stretch * 1.5) + 4
        rows = slice(max(0, int(self.row) - reach), min(FINE, int(self.row) + reach))
        cols = slice(max(0, int(self.col) - reach), min(FINE, int(self.col) + reach))
        y, x = np.mgrid[rows, cols].astype(np.float64)
        y, x = y - self.row, x - self.col
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        long = np.sqrt(self.stretch)
        a, b = (cos * x + sin * y) / long, (cos * y - sin * x) * long
        phi = np.arctan2(b, a)
        rim = np.ones_like(phi)
        for order, (size, phase) in enumerate(self.waves, start=2):
            rim += size * np.cos(order * phi + phase)
        return (rows, cols), np.hypot(a, b) - rim * self.radius


def slide(patient: int, shot: int, gland: bool) -> Slide:
    """Take field number `shot` of a phantom patient's section.

    Parameters
    ----------
    patient, shot : int
        The same pair gives the same field; the stain is the patient's.
    gland : bool
        Whether there is a gland.
    """
    stain, rng = seeded(21, patient), seeded(22, patient, shot)
    haem, eosin = _stroma(rng)
    glands = _glands(rng) if gland else []
    wall = np.zeros((FINE, FINE), dtype=np.bool_)
    for blob in glands:
        wall |= _paint_gland(blob, haem, eosin, rng)
    masks = {name: np.zeros((FINE, FINE), dtype=np.bool_) for name in TARGETS}
    for name, blob in _nuclei(glands, rng):
        masks[name] |= _paint_nucleus(blob, haem, eosin, rng)
    masks["gland"] = wall
    index, palette = _develop(haem, eosin, stain, rng)
    return Slide(
        palette[index],
        index,
        palette,
        {name: shrink_mask(mask) for name, mask in masks.items()},
        _caption(len(glands)),
    )


def _waves(rng: np.random.Generator, sizes: tuple[float, ...]) -> Array:
    return np.array([[rng.normal(0, s), rng.uniform(0, 2 * np.pi)] for s in sizes])


def _stroma(rng: np.random.Generator) -> tuple[Array, Array]:
    """Loose fibres with clefts of bare glass; haematoxylin and eosin densities."""
    y, x = np.mgrid[0:FINE, 0:FINE].astype(np.float64)
    course = rng.uniform(0, np.pi) + 0.8 * clouds(rng, 45)
    warp = 14 * clouds(rng, 22)
    along = np.cos(course.mean()) * y - np.sin(course.mean()) * x + warp
    fibres = np.sin(along / 4.6 + 1.5 * clouds(rng, 9)) * 0.5
    fibres = fibres + 0.5 * np.sin(along / 9.0 + 1.2 * clouds(rng, 14))
    eosin = 0.215 + 0.05 * fibres + 0.035 * clouds(rng, 28) + 0.012 * clouds(rng, 1.4)
    clefts = fibres + 0.8 * clouds(rng, 18)
    eosin = eosin * (1 - 0.75 * blur((clefts < -1.35).astype(float), 2.0))
    haem = 0.045 + 0.015 * clouds(rng, 6) + 0.008 * clouds(rng, 1.4)
    for _ in range(int(rng.integers(2, 8))):
        cell = Blob(
            row=rng.uniform(8, FINE - 8),
            col=rng.uniform(8, FINE - 8),
            radius=rng.uniform(5.5, 7),
            stretch=1.1,
            turn=0.0,
            waves=_waves(rng, (0.03,)),
        )
        window, out = cell.distance()
        disc = edge(out, 2.5)
        eosin[window] += disc * (0.40 - eosin[window]) * (0.7 + 0.3 * np.exp(out / 4))
    return haem, eosin


def _glands(rng: np.random.Generator) -> list[Blob]:
    """One or two glands that do not touch, mostly inside the field."""
    found: list[Blob] = []
    wanted = int(rng.integers(1, 3))
    for _ in range(60):
        blob = Blob(
            row=rng.uniform(0.18 * FINE, 0.82 * FINE),
            col=rng.uniform(0.18 * FINE, 0.82 * FINE),
            radius=rng.uniform(58, 82),
            stretch=rng.uniform(1.0, 1.4),
            turn=rng.uniform(0, np.pi),
            waves=_waves(rng, (0.04, 0.04, 0.02)),
        )
        if all(_gap(blob, other) > 14 for other in found):
            found.append(blob)
        if len(found) == wanted:
            break
    return found


def _gap(one: Blob, other: Blob) -> float:
    apart = np.hypot(one.row - other.row, one.col - other.col)
    return float(apart - 1.1 * (one.reach + other.reach))


def _paint_gland(
    blob: Blob, haem: Array, eosin: Array, rng: np.random.Generator
) -> Mask:
    """Wall of tall cells, empty lumen, thin membrane; returns wall and lumen."""
    window, out = blob.distance()
    texture = clouds(rng, 3)[window]
    inside = edge(out, 3)
    lumen = edge(out + 0.58 * blob.radius + 3.0 * clouds(rng, 8)[window], 5)
    membrane = np.exp(-(((out - 1.0) / 2.2) ** 2))
    halo = np.exp(-(((out - 6.0) / 3.0) ** 2)) * (out > 0)
    cells = 0.25 + 0.025 * texture - 0.08 * edge(out + 0.40 * blob.radius, 14)
    eosin[window] = eosin[window] * (1 - inside) + inside * cells
    haem[window] = haem[window] * (1 - inside) + inside * (0.13 + 0.02 * texture)
    eosin[window] = eosin[window] * (1 - 0.93 * lumen) + 0.10 * membrane
    haem[window] = haem[window] * (1 - 0.96 * lumen) + 0.03 * membrane
    eosin[window] *= 1 - 0.35 * halo
    mask = np.zeros((FINE, FINE), dtype=np.bool_)
    mask[window] = out < 0
    return mask


def _nuclei(glands: list[Blob], rng: np.random.Generator) -> list[tuple[str, Blob]]:
    """Scatter nuclei that do not touch: in the glands' walls, then in the stroma."""
    found: list[tuple[str, Blob]] = []

    def offer(name: str, row: float, col: float, turn: float, long: float) -> bool:
        low, high = RADII[name]
        blob = Blob(
            row, col, rng.uniform(low, high), long, turn, _waves(rng, (0.03, 0.03))
        )
        for _, other in found:
            apart = np.hypot(other.row - row, other.col - col)
            if apart < 1.05 * (other.reach + blob.reach) + 2:
                return False
        found.append((name, blob))
        return True

    for gland in glands:
        around = np.linspace(0, 2 * np.pi, 23)[:-1] + rng.uniform(0, 1)
        for phi in around:
            name = "large nuclei" if rng.random() < 0.22 else "small nuclei"
            depth = 0.75 * gland.radius + rng.normal(0, 4)
            long = np.sqrt(gland.stretch)
            a, b = depth * long * np.cos(phi), depth / long * np.sin(phi)
            cos, sin = np.cos(gland.turn), np.sin(gland.turn)
            row, col = gland.row + sin * a + cos * b, gland.col + cos * a - sin * b
            turn = np.arctan2(row - gland.row, col - gland.col)
            offer(name, row, col, turn, rng.uniform(1.1, 1.6))
    for name, wanted in (
        ("large nuclei", int(rng.integers(7, 12))),
        ("small nuclei", int(rng.integers(26, 40))),
    ):
        done = 0
        for _ in range(wanted * 12):
            row, col = rng.uniform(9, FINE - 9, 2)
            if any(
                np.hypot(row - g.row, col - g.col) < 1.12 * g.radius * g.stretch + 12
                for g in glands
            ):
                continue
            turn, long = rng.uniform(0, np.pi), 1 + abs(rng.normal(0, 0.3))
            done += offer(name, row, col, turn, min(long, 1.7))
            if done == wanted:
                break
    return found


def _paint_nucleus(
    blob: Blob, haem: Array, eosin: Array, rng: np.random.Generator
) -> Mask:
    """Chromatin, a darker rim and a nucleolus or two; the stain is the same for all."""
    window, out = blob.distance()
    inside = edge(out, 2.4)
    y, x = np.indices(out.shape)
    phase = rng.uniform(0, 2 * np.pi, 4)
    grain = np.sin(x / 1.7 + phase[0]) * np.sin(y / 1.9 + phase[1])
    grain = grain + np.sin((x + y) / 2.6 + phase[2]) * np.sin((x - y) / 2.3 + phase[3])
    rim = np.exp(-(((out + 1.8) / 1.8) ** 2))
    stain = rng.uniform(0.44, 0.66) * (1 + 0.13 * grain) + 0.13 * rim
    haem[window] = haem[window] * (1 - inside) + inside * stain
    eosin[window] = eosin[window] * (1 - 0.55 * inside)
    mask = np.zeros((FINE, FINE), dtype=np.bool_)
    mask[window] = out < 0
    return mask


def _develop(
    haem: Array, eosin: Array, stain: np.random.Generator, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Stain strength of the patient, the lens and the camera.

    Returns
    -------
    index : (192, 192) uint8 array
    palette : (144, 3) uint8 array
        Densities in a few levels, so that the picture stays small.
    """
    strength = stain.uniform(0.85, 1.25, 2)
    hues = [colour + stain.normal(0, 0.035, 3) for colour in (_HAEMATOXYLIN, _EOSIN)]
    glass = np.array([243.0, 240.0, 244.0]) - stain.uniform(0, 8)
    field = 1 + 0.03 * clouds(rng, 90)
    levels, steps = [], []
    for density, most, count in zip((haem, eosin), (0.9, 0.44), _LEVELS, strict=True):
        seen = shrink(blur(density, 1.3)) * shrink(field)
        seen = seen + 0.014 * rng.standard_normal(seen.shape)
        steps.append(most / (count - 1))
        levels.append(np.clip(np.round(seen / steps[-1]), 0, count - 1))
    index = (levels[0] * _LEVELS[1] + levels[1]).astype(np.uint8)
    h, e = np.divmod(np.arange(_LEVELS[0] * _LEVELS[1]), _LEVELS[1])
    density = strength[0] * steps[0] * h[:, None] * hues[0]
    density = density + strength[1] * steps[1] * e[:, None] * hues[1]
    palette = np.clip(np.round(glass * 10**-density), 0, 255).astype(np.uint8)
    return index, palette


def _caption(glands: int) -> str:
    what = ("no gland", "one gland", "two glands")[glands]
    return f"Stroma with {what} and scattered nuclei, large and small."
