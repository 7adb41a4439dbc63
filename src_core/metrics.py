"""Scores of masks: Dice, IoU, and the 95th percentile of the surface distance.

Two conventions of Dice circulate, and must never be mixed: the mean over images, and
one Dice over the pixels of all images together ("pooled").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable

Mask = NDArray[np.generic]


def dice(prediction: Mask, truth: Mask) -> float:
    """Twice the common pixels over the sum of both; 1 where both are empty.

    Parameters
    ----------
    prediction, truth : ndarray
        Of one shape; anything that is not 0 belongs to the mask.
    """
    a, b = prediction.astype(bool), truth.astype(bool)
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 1.0


def iou(prediction: Mask, truth: Mask) -> float:
    """Share of the union that is common; 1 where both are empty.

    Parameters
    ----------
    prediction, truth : ndarray
        Of one shape; anything that is not 0 belongs to the mask.
    """
    a, b = prediction.astype(bool), truth.astype(bool)
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def hd95(prediction: Mask, truth: Mask, spacing: tuple[float, ...]) -> float:
    """95th percentile of the distances from each mask's surface to the other's.

    Parameters
    ----------
    prediction, truth : ndarray
        Of one shape, (H, W) or (Z, H, W); anything that is not 0 belongs to the mask.
    spacing : tuple of float
        Distance of neighbours along each axis.

    Returns
    -------
    float
        In the unit of `spacing`. 0 where both are empty; NaN where one is, as no
        distance is defined there.
    """
    a, b = prediction.astype(bool), truth.astype(bool)
    if not a.any() or not b.any():
        return 0.0 if a.any() == b.any() else math.nan
    from scipy.ndimage import binary_erosion, distance_transform_edt

    # Both surfaces lie in the masks' common box: no distance needs pixels beyond it.
    box = tuple(
        slice(int(where.min()), int(where.max()) + 1) for where in np.nonzero(a | b)
    )
    a, b = np.pad(a[box], 1), np.pad(b[box], 1)
    rims = [m & ~binary_erosion(m) for m in (a, b)]
    to_rim = [distance_transform_edt(~rim, sampling=spacing) for rim in rims]
    distances = np.concatenate([to_rim[1][rims[0]], to_rim[0][rims[1]]])
    return float(np.percentile(distances, 95))


@dataclass(slots=True)
class Scores:
    """Gathers the scores of one target over images."""

    dices: list[float] = field(default_factory=list)
    ious: list[float] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    _overlap: int = 0
    _total: int = 0

    def add(
        self, prediction: Mask, truth: Mask, spacing: tuple[float, ...] | None = None
    ) -> None:
        """Add one image; masks of one shape, spacing one number an axis."""
        self.dices.append(dice(prediction, truth))
        self.ious.append(iou(prediction, truth))
        self.distances.append(hd95(prediction, truth, spacing or (1.0,) * truth.ndim))
        a, b = prediction.astype(bool), truth.astype(bool)
        self._overlap += int((a & b).sum())
        self._total += int(a.sum()) + int(b.sum())

    def summary(self) -> dict[str, float | int | None]:
        """Return dice, iou, dice_pooled, hd95 (None where undefined) and n."""
        known = [d for d in self.distances if not math.isnan(d)]
        return {
            "dice": mean(self.dices),
            "iou": mean(self.ious),
            "dice_pooled": 2.0 * self._overlap / self._total if self._total else 1.0,
            "hd95": mean(known) if known else None,
            "n": len(self.dices),
        }


def mean(values: Iterable[float]) -> float:
    """Return the mean of at least one value."""
    listed = list(values)
    return math.fsum(listed) / len(listed)
