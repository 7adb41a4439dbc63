"""What a picture looks like, told without any network.

Enough to group pictures by look, to propose a first batch and to point out pictures
that are nearly the same. numpy alone: a project without a model needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]

GRID: Final = 16
CELLS: Final = 4
DIRECTIONS: Final = 8
SHADES: Final = 16
WORK_SIDE: Final = 64
WIDTH: Final = 64
"""Numbers a picture is told by, in all."""

SAME: Final = 0.985
"""Correlation of two thumbnails from which the pictures count as nearly the same."""

BLOCK: Final = 256
"""Pictures compared with all others at once: 100 MB at 100,000 of them."""

WAY: Final = 2
"""Of telling; what was told in another way cannot be compared."""

_SEED: Final = 20_230


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One picture, told without a network.

    Attributes
    ----------
    features : ndarray
        (`WIDTH`,) float32; near means alike.
    thumbnail : ndarray
        (256,) float32 of mean 0 and length 1; all 0 where the picture is of one shade.
    """

    features: Floats
    thumbnail: Floats


def look(pixels: NDArray[np.generic], axes: str) -> Look:
    """Describe a picture, or a volume by its middle slice.

    Parameters
    ----------
    pixels : ndarray
        With the axes ``"yx"``, ``"cyx"``, ``"zyx"`` or ``"czyx"``.
    axes : str
        As above.
    """
    plane = _middle(pixels, axes)
    height, width = plane.shape[-2:]
    shown = shrunk(_windowed(plane), WORK_SIDE)
    grey = shown.mean(0)
    thumbnail = shrunk(grey[None], GRID)[0].ravel()
    thumbnail = thumbnail - thumbnail.mean()
    length = float(np.linalg.norm(thumbnail))
    # Less than a shade of contrast is no picture: all of these are alike.
    thumbnail = thumbnail / length if length > GRID / 255 else 0.0 * thumbnail
    blocks = [
        thumbnail,
        _directions(grey),
        0.7 * _shades(grey),
        0.5 * np.concatenate([shown.mean((1, 2)), shown.std((1, 2))]),
        0.3 * np.array([np.log(height / width)]),
    ]
    told = np.concatenate(blocks).astype(np.float32)
    return Look(squeeze(told[None], WIDTH)[0], thumbnail.astype(np.float32))


def squeeze(features: Floats, width: int) -> Floats:
    """Project (n, D) to (n, width) so that distances stay about what they were.

    A fixed random projection (Johnson & Lindenstrauss): no picture has to wait for
    the others, as it would for principal components.
    """
    rng = np.random.default_rng(_SEED)
    matrix = rng.normal(size=(features.shape[1], width)) / np.sqrt(width)
    return np.asarray(features @ matrix.astype(np.float32))


def shrunk(planes: NDArray[np.floating], side: int) -> Floats:
    """Average (C, H, W) over a grid of side x side; a short side is repeated."""
    for axis in (1, 2):
        length = planes.shape[axis]
        if length < side:
            planes = np.repeat(planes, -(-side // length), axis=axis)
            length = planes.shape[axis]
        edges = np.linspace(0, length, side + 1).round().astype(int)
        sums = np.add.reduceat(planes, edges[:-1], axis=axis)
        sizes = np.diff(edges)
        planes = sums / (sizes[:, None] if axis == 1 else sizes)
    found: Floats = np.asarray(planes, np.float32)
    return found


def _middle(pixels: NDArray[np.generic], axes: str) -> NDArray[np.generic]:
    """Return (C, H, W) with 3 channels at most."""
    if "z" in axes:
        depth = axes.index("z")
        pixels = np.take(pixels, pixels.shape[depth] // 2, axis=depth)
    return pixels[:3] if "c" in axes else pixels[None]


def _windowed(plane: NDArray[np.generic]) -> Floats:
    """Bring intensities to 0-1 by percentiles; eight-bit colour keeps its own.

    A grey picture kept as colour is a grey one: fluorescence often is, and so dark that
    as a colour picture it has no contrast.
    """
    step = max(1, min(plane.shape[-2:]) // 256)
    values = np.nan_to_num(plane[:, ::step, ::step].astype(np.float32))
    is_colour = len(plane) == 3 and bool((values != values[:1]).any())
    if plane.dtype == np.uint8 and is_colour:
        return values / np.float32(255.0)
    low, high = np.percentile(values, [0.5, 99.5])
    if high <= low:
        low, high = float(values.min()), float(values.max())
    scaled = (values - low) / max(high - low, 1e-6)
    return np.asarray(scaled.clip(0, 1), np.float32)


def _directions(grey: Floats) -> Floats:
    """Histograms of the gradient's direction over a grid of cells, of length 1."""
    down, right = np.gradient(grey)
    strength = np.hypot(down, right)
    turn = (np.arctan2(down, right) % np.pi) / np.pi * DIRECTIONS
    bins = np.minimum(turn.astype(int), DIRECTIONS - 1)
    cell = np.arange(len(grey)) * CELLS // len(grey)
    index = (cell[:, None] * CELLS + cell[None]) * DIRECTIONS + bins
    found = np.bincount(
        index.ravel(), strength.ravel(), minlength=CELLS * CELLS * DIRECTIONS
    )
    length = float(np.linalg.norm(found))
    return (found / length if length > 0 else found).astype(np.float32)


def _shades(grey: Floats) -> Floats:
    """Square root of the histogram of intensities: of length 1."""
    bins = np.minimum((grey * SHADES).astype(int), SHADES - 1)
    found = np.bincount(bins.ravel(), minlength=SHADES) / grey.size
    return np.sqrt(found).astype(np.float32)


def twins(thumbnails: Floats) -> Rows:
    """Number pictures so that those that are nearly the same share a number.

    Parameters
    ----------
    thumbnails : ndarray
        (M, 256) as :class:`Look` holds them.

    Returns
    -------
    ndarray
        (M,) the lowest row of each picture's set of look-alikes; its own row for one
        that is like no other.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(thumbnails)
    if count < 2:
        return np.arange(count)
    left, right = _near(thumbnails, float(np.sqrt(2.0 - 2.0 * SAME)))
    edges = coo_array((np.ones(len(left)), (left, right)), shape=(count, count))
    _, label = connected_components(edges, directed=False)
    lowest = np.full(label.max() + 1, count, np.int64)
    np.minimum.at(lowest, label, np.arange(count))
    return np.asarray(lowest[label])


def _near(points: Floats, reach: float) -> tuple[Rows, Rows]:
    """Pairs of rows no farther apart than `reach`, enough of them to join every set.

    By products of all with all: no tree is quicker where pictures look alike in most
    directions, and it is never slower than this.
    """
    left, right = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    lengths = np.einsum("md,md->m", points, points)
    for start in range(0, len(points), BLOCK):
        mine = slice(start, start + BLOCK)
        apart = lengths[mine, None] + lengths[None, start:]
        apart -= 2.0 * (points[mine] @ points[start:].T)
        close = apart <= reach**2
        close[np.tri(*close.shape) > 0] = False  # each pair once, and none with itself
        rows = np.flatnonzero(close.any(1))
        # The first and the last are enough: what lies between meets one of them.
        for hit in (close[rows].argmax(1), -1 - close[rows, ::-1].argmax(1)):
            left.append(start + rows)
            right.append(start + hit % close.shape[1])
    return np.concatenate(left), np.concatenate(right)
