"""Where to look: the slices and places in which a correction would teach most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from src_core.acquire.words import place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

PART: Final = 0.25
"""Side of a region, as a share of the picture's longer side."""

APART: Final = 0.05
"""Slices this share of a volume apart, at least one, say different things."""


@dataclass(frozen=True, slots=True)
class Region:
    """A place worth a person's eyes.

    Attributes
    ----------
    slice : int or None
        Along z; None in a picture.
    rows, columns : (int, int)
        First pixel, and the one behind the last.
    share : float
        Of all the disagreement in the image, what lies here.
    words : str
        The place in words.
    """

    slice: int | None
    rows: tuple[int, int]
    columns: tuple[int, int]
    share: float
    words: str


def where_to_look(heat: Floats, count: int = 3) -> list[Region]:
    """Return the regions with most of the heat, best first, none over another.

    Parameters
    ----------
    heat : ndarray
        (H, W) or (Z, H, W), 0 or more.
    count : int
        At most so many; none where there is no heat.
    """
    volume = np.array(heat if heat.ndim == 3 else heat[None], np.float32)
    total = float(volume.sum())
    if total <= 0:
        return []
    side = max(4, round(PART * max(volume.shape[1:])))
    height, width = (min(side, n) for n in volume.shape[1:])
    gap = max(1, round(APART * len(volume)))
    found: list[Region] = []
    best = [_hottest(plane, height, width) for plane in volume]
    while len(found) < count:
        z = int(np.argmax([mass for mass, _, _ in best]))
        mass, top, left = best[z]
        if mass <= 1e-6 * total:
            break
        middle = (
            (top + height / 2) / volume.shape[1],
            (left + width / 2) / volume.shape[2],
        )
        is_volume = heat.ndim == 3
        words = place(*middle) + (f", in slice {z + 1}" if is_volume else "")
        found.append(
            Region(
                z if is_volume else None,
                (top, top + height),
                (left, left + width),
                mass / total,
                words,
            )
        )
        # What the slices beside it say of this place is the same.
        beside = slice(max(0, z - gap), z + gap + 1)
        volume[beside, top : top + height, left : left + width] = 0.0
        for other in range(*beside.indices(len(volume))):
            best[other] = _hottest(volume[other], height, width)
    return found


def _hottest(plane: Floats, height: int, width: int) -> tuple[float, int, int]:
    """Mass, first row and first column of the window with most of the heat."""
    sums = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1))
    sums[1:, 1:] = plane.cumsum(0, dtype=np.float64).cumsum(1)
    windows = (
        sums[height:, width:]
        - sums[:-height, width:]
        - sums[height:, :-width]
        + sums[:-height, :-width]
    )
    top, left = np.unravel_index(int(windows.argmax()), windows.shape)
    return float(windows[top, left]), int(top), int(left)
