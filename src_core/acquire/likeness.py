"""Distances between images, how typical one is, and which form a group.

All of it is matrix products over blocks: at 64 dimensions a tree is no faster than
looking at everything, and the blocks keep 100,000 images within a few megabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]

BLOCK = 8192
NEIGHBOURS = 20
SAMPLE = 2000
ROUNDS = 12
TRIES = 24
"""Of the clustering, divided by the number of clusters."""


def squared(points: Floats, centres: Floats) -> Floats:
    """(n, D) and (k, D) -> squared distances (n, k), never below 0."""
    cross: Floats = points @ centres.T
    cross *= -2.0
    cross += np.einsum("nd,nd->n", points, points)[:, None]
    cross += np.einsum("kd,kd->k", centres, centres)[None]
    return np.maximum(cross, 0.0, out=cross)


def apart(features: Floats, others: Floats) -> Floats:
    """Distance of each of (n, D) to its own of (n, D), or to the one (D,): (n,).

    The same to the last bit whatever else is compared beside it, which a product of
    matrices is not.
    """
    difference = features - others
    far: Floats = np.sqrt(np.einsum("nd,nd->n", difference, difference))
    return far


def nearest_of(features: Floats, rows: Rows) -> tuple[Floats, Rows]:
    """Distance of every image to the nearest of some, and which one that is.

    Parameters
    ----------
    features : ndarray
        (M, D).
    rows : ndarray
        (n,) the images to be near to.

    Returns
    -------
    (ndarray, ndarray)
        (M,) distances, inf where `rows` is empty; (M,) rows, -1 there.
    """
    near = np.full(len(features), np.inf, np.float32)
    which = np.full(len(features), -1, np.int64)
    if len(rows) == 0:
        return near, which
    for block in _blocks(len(features), max(1, BLOCK * 64 // len(rows))):
        which[block] = rows[squared(features[block], features[rows]).argmin(1)]
        near[block] = apart(features[block], features[which[block]])
    near[rows], which[rows] = 0.0, rows
    return near, which


def typicality(features: Floats, rng: np.random.Generator) -> Floats:
    """How many images look like each one, as a rank from 0 to 1.

    The mean distance to the nearest neighbours (TypiClust, arXiv 2202.02794), among a
    sample where there are many images: only the order counts.

    Parameters
    ----------
    features : ndarray
        (M, D).
    rng : Generator
        Draws the sample.

    Returns
    -------
    ndarray
        (M,) float32; 1 for the most typical.
    """
    count = len(features)
    if count < 3:
        return np.ones(count, np.float32)
    sample = _sample(count, SAMPLE, rng)
    # Of a sample, as large a share of the neighbourhood; never fewer than five.
    near = min(len(sample) - 1, max(5, round(NEIGHBOURS * len(sample) / count)))
    mean = np.empty(count, np.float32)
    for block in _blocks(count, BLOCK // 4):
        apart = squared(features[block], features[sample])
        first, last = np.searchsorted(sample, (block.start, block.stop))
        own = np.arange(first, last)
        apart[sample[own] - block.start, own] = np.inf
        closest = np.partition(apart, near - 1, axis=1)[:, :near]
        mean[block] = np.sqrt(closest).mean(1)
    return ranks(-mean)


def ranks(values: NDArray[np.floating]) -> Floats:
    """(n,) -> (n,) float32 from 0 (lowest) to 1; equal values share their mean rank."""
    count = len(values)
    if count < 2:
        return np.ones(count, np.float32)
    _, inverse, sizes = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(sizes) - sizes
    middle = first + 0.5 * (sizes - 1)
    return np.asarray(middle[inverse] / (count - 1), np.float32)


def clusters(features: Floats, count: int, rng: np.random.Generator) -> Rows:
    """Divide images into groups: k-means seeded by k-means++, the best of a few tries.

    Parameters
    ----------
    features : ndarray
        (M, D).
    count : int
        k; at most M groups come out.
    rng : Generator
        Draws the seeds, and a sample to learn the centres from where M is large.

    Returns
    -------
    ndarray
        (M,) number of the group, 0 to k - 1.
    """
    sample = features[_sample(len(features), SAMPLE, rng)]
    tries = max(1, TRIES // count)
    found = np.empty(len(features), np.int64)
    centres = min(
        (_means(sample, min(count, len(sample)), rng) for _ in range(tries)),
        key=lambda means: means[0],
    )[1]
    for block in _blocks(len(features), BLOCK):
        found[block] = squared(features[block], centres).argmin(1)
    return found


def _means(
    sample: Floats, count: int, rng: np.random.Generator
) -> tuple[float, Floats]:
    """One try of k-means: what is left of the squared distances, and the centres."""
    centres = _seeds(sample, count, rng)
    for _ in range(ROUNDS):
        mine = squared(sample, centres).argmin(1)
        sizes = np.bincount(mine, minlength=len(centres))
        sums = np.zeros_like(centres)
        np.add.at(sums, mine, sample)
        filled = sizes > 0
        moved = np.where(filled[:, None], sums / np.maximum(sizes, 1)[:, None], centres)
        if np.allclose(moved, centres):
            break
        centres = moved.astype(np.float32)
    return float(squared(sample, centres).min(1).sum()), centres


def _seeds(points: Floats, count: int, rng: np.random.Generator) -> Floats:
    """k-means++: each next seed is drawn by its squared distance to those before."""
    chosen = [int(rng.integers(len(points)))]
    near = squared(points, points[chosen])[:, 0].astype(np.float64)
    while len(chosen) < count:
        total = near.sum()
        weights = near / total if total > 0 else None
        chosen.append(int(rng.choice(len(points), p=weights)))
        near = np.minimum(near, squared(points, points[chosen[-1:]])[:, 0])
    return points[chosen].copy()


def _sample(count: int, most: int, rng: np.random.Generator) -> Rows:
    if count <= most:
        return np.arange(count)
    return np.sort(rng.choice(count, most, replace=False))


def _blocks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))
