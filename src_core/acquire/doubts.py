"""Possible label errors: finished masks that the model contradicts with confidence.

Confident learning (Northcutt et al., JAIR 2021, arXiv 1911.00068): a pixel is in doubt
where the model believes in the other answer at least as firmly as it believes, on
average, in that answer where it was given. What ``cleanlab`` computes for segmentation
is these few lines over a stack of all masks with all classes; our masks are binary, may
be missing for a target, and come one after the other, and its dependencies (pandas,
scikit-learn) weigh more than the rest of a base install's numerics. Beyond it: a rim of
doubt along an outline is no error of labelling, so only what is thicker counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Masks = NDArray[np.bool_]

RIM: Final = 2
"""Pixels, at the network's size, by which two careful people may differ."""

RING: Final = 12
"""Pixels around a mask that stand for what is outside: the far background is so sure
that beside it nothing would ever be confident."""

SMALLEST: Final = 0.1
"""Share of the mask, or of a usual one, that must be in doubt to be listed."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """How firmly the model believes in an answer where it was given, on average.

    Attributes
    ----------
    inside, outside : float
        Mean probability of the answer over the pixels that people gave it to.
    size : float
        Pixels of the median mask that is not empty.
    """

    inside: float
    outside: float
    size: float


@dataclass(frozen=True, slots=True, eq=False)
class InDoubt:
    """What the model doubts of one mask.

    Attributes
    ----------
    missed, extra : ndarray
        (Z, H, W) bool: what the model confidently finds and nobody drew; what was
        drawn and it confidently does not find.
    score : float
        Doubtful pixels against those drawn or found, 0 to 1.
    """

    missed: Masks
    extra: Masks
    score: float


def confidence(pairs: Iterable[tuple[Floats, Masks]]) -> Confidence:
    """Measure the thresholds of confident learning for one target.

    Parameters
    ----------
    pairs : iterable of (ndarray, ndarray)
        Probability and finished mask, (Z, H, W) each.
    """
    sums, counts, sizes = np.zeros(2), np.zeros(2), []
    for probability, mask in pairs:
        ring = grown(mask, RING) & ~mask if mask.any() else np.ones_like(mask)
        sums += probability[mask].sum(), (1.0 - probability[ring]).sum()
        counts += mask.sum(), ring.sum()
        if mask.any():
            sizes.append(int(mask.sum()))
    inside, outside = sums / np.maximum(counts, 1)
    size = float(np.median(sizes)) if sizes else 0.0
    return Confidence(max(0.5, float(inside)), max(0.5, float(outside)), size)


def in_doubt(probability: Floats, mask: Masks, usual: Confidence) -> InDoubt:
    """Compare one finished mask with what the model confidently believes.

    Parameters
    ----------
    probability : ndarray
        (Z, H, W), of the model.
    mask : ndarray
        (Z, H, W) bool, as people left it.
    usual : Confidence
        Of the mask's target.
    """
    missed = thick(~mask & (probability >= usual.inside))
    extra = thick(mask & (1.0 - probability >= usual.outside))
    doubtful = int(missed.sum() + extra.sum())
    found = (probability > 0.5).sum()
    whole = max(float(mask.sum()), float(found), 1.0)
    # A few pixels of a mask of a few pixels are little: what is usual is the measure.
    listed = doubtful >= SMALLEST * max(float(mask.sum()), 0.5 * usual.size, 1.0)
    return InDoubt(missed, extra, min(1.0, doubtful / whole) if listed else 0.0)


def thick(marked: Masks) -> Masks:
    """Return what is left of (Z, H, W) without rims of up to `RIM` pixels."""
    from scipy.ndimage import binary_opening

    side = 2 * RIM + 1
    box = np.ones((1, side, side), bool)
    return np.asarray(binary_opening(marked, box))


def grown(marked: Masks, by: int) -> Masks:
    """Return (Z, H, W) grown by so many pixels within each plane."""
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(marked, size=(1, 2 * by + 1, 2 * by + 1)))
