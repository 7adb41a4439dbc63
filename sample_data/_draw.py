"""Brushes shared by the phantoms: grids, bands, soft edges, random texture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask
from skimage.filters import gaussian
from skimage.transform import resize

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SIZE = 192
"""Side of every phantom in pixels."""
FINE = 2 * SIZE
"""Side of the canvas on which they are drawn: edges come out smooth."""


def seeded(*key: int) -> np.random.Generator:
    """Return the random numbers that belong to `key`, the same for ever."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(key))))


def grid(shift: tuple[float, float], turn: float, scale: float) -> tuple[Array, Array]:
    """Coordinates of the canvas in the body's frame.

    Parameters
    ----------
    shift : tuple of float
        Right and down, as a part of half the picture's side.
    turn : float
        Clockwise in the picture, in radians.
    scale : float
        Above 1 the body is larger.

    Returns
    -------
    u, v : (FINE, FINE) arrays
        Rightwards and downwards; the picture's edges lie near -1 and 1.
    """
    axis = (np.arange(FINE) + 0.5) / FINE * 2 - 1
    y, x = np.meshgrid(axis - shift[1], axis - shift[0], indexing="ij")
    cos, sin = np.cos(turn), np.sin(turn)
    return (cos * x + sin * y) / scale, (cos * y - sin * x) / scale


def blur(field: Array, sigma: float) -> Array:
    """Blur by a Gaussian of `sigma` canvas pixels, edges repeated."""
    return np.asarray(gaussian(field, sigma=sigma, mode="nearest", truncate=3.0))


def clouds(rng: np.random.Generator, sigma: float) -> Array:
    """Return smooth random texture of mean 0 and deviation 1, (FINE, FINE).

    Drawn on a coarse grid where `sigma` allows it, which is what makes a wide blur
    cheap.
    """
    step = max(1, int(sigma / 3))
    side = -(-FINE // step)
    field = blur(rng.standard_normal((side, side)), sigma / step)
    field = (field - field.mean()) / field.std()
    return np.asarray(resize(field, (FINE, FINE), order=1, mode="edge"))


def edge(distance: Array, width: float) -> Array:
    """Return 1 where `distance` is negative and 0 beyond, over a ramp of `width`."""
    return np.clip(0.5 - distance / width, 0.0, 1.0)


def ellipse(
    u: Array,
    v: Array,
    centre: tuple[float, float],
    radii: tuple[float, float],
    turn: float,
) -> Array:
    """Return how far out each point lies: 0 at the centre, 1 on the ellipse."""
    cos, sin = np.cos(turn), np.sin(turn)
    du, dv = u - centre[0], v - centre[1]
    along, across = cos * du + sin * dv, cos * dv - sin * du
    return np.asarray(np.hypot(along / radii[0], across / radii[1]))


def band(points: Array, width: Array | float) -> Mask:
    """Fill a band of changing half-width along a line.

    Parameters
    ----------
    points : (N, 2) array
        Row and column on the canvas.
    width : (N,) array or float
        Half the band's width, in canvas pixels.
    """
    along = np.gradient(points, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across /= np.maximum(np.hypot(across[:, 0], across[:, 1])[:, None], 1e-9)
    offset = across * np.broadcast_to(np.asarray(width), (len(points),))[:, None]
    outline = np.concatenate([points + offset, (points - offset)[::-1]])
    return np.asarray(polygon2mask((FINE, FINE), outline), dtype=np.bool_)


def shrink(field: Array) -> Array:
    """Average 2x2 canvas pixels, (FINE, FINE) to (SIZE, SIZE)."""
    return np.asarray(field.reshape(SIZE, 2, SIZE, 2).mean(axis=(1, 3)))


def shrink_mask(mask: Mask) -> Mask:
    """Keep pixels more than half covered: what was disjoint stays so."""
    return shrink(mask.astype(np.float64)) > 0.5
