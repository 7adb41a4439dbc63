"""Opinions about the views of an image, summed up to rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from src_core.rounds.tally import COLUMNS, SUMS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from src_core.geometry import Letterbox
    from src_core.rounds.opinion import Opinions

    Floats = NDArray[np.float32]

WINDOW: Final = 8
"""The hottest place is looked for with a window of the side divided by so many."""

BESIDE: Final = 3
"""Pixels within which another target counts as bordered on."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a view lies in its image.

    Attributes
    ----------
    z : int
        The slice; -1 in a picture.
    box : Letterbox
        How the view was fitted into the network's square.
    top, left : int
        The view's first pixel in the picture.
    height, width : int
        Of the picture.
    """

    z: int
    box: Letterbox
    top: int
    left: int
    height: int
    width: int


def tally(opinions: Opinions, spots: list[Spot]) -> Floats:
    """Return the numbers of n views and K targets: (n, K, `COLUMNS`) float32."""
    near = opinions.near()
    # Most of a picture is near nothing; logarithms of all of it are most of the work.
    here = opinions.at(near)
    maps = {
        "entropy": _spread(here.entropy(), near),
        "margin": _spread(here.margin(), near),
        "bald": _spread(here.bald(), near),
        "consistency": _spread(here.consistency(), near),
    }
    heat = _spread(here.heat(), near)
    found = opinions.first > 0.5
    second = opinions.others[0] > 0.5 if len(opinions.others) else found
    edge = found & ~_shrunk(found)
    rows = np.full((*heat.shape[:2], len(COLUMNS)), -1.0, np.float32)
    for n, spot in enumerate(spots):
        window = (n, slice(None), *spot.box.window)
        sums = {name: map_[window].sum((1, 2)) for name, map_ in maps.items()}
        mine, other = found[window], second[window]
        sums |= {
            "near": near[window].sum((1, 2)),
            "found": mine.sum((1, 2)),
            "outline": edge[window].sum((1, 2)),
            "shared": 2 * (mine & other).sum((1, 2)),
            "either": mine.sum((1, 2)) + other.sum((1, 2)),
            "pixels": torch.full((heat.shape[1],), mine[0].numel()),
        }
        rows[n, :, : len(SUMS)] = torch.stack(
            [sums[name].float() for name in SUMS], dim=1
        ).numpy()
        rows[n, :, len(SUMS)] = opinions.presence[n].numpy()
        for k in range(heat.shape[1]):
            rows[n, k, len(SUMS) + 1 :] = _hottest(heat[window], found[window], k, spot)
    return rows


def _spread(values: Tensor, where: Tensor) -> Tensor:
    """(m,) at the m true places of (n, K, S, S), 0 elsewhere."""
    return torch.zeros(where.shape).masked_scatter_(where, values)


def _hottest(
    heat: Tensor, found: Tensor, k: int, spot: Spot
) -> tuple[float, float, float, float, float, float]:
    """Return the numbers of `HOT` for one view and target.

    Parameters
    ----------
    heat, found : Tensor
        (K, h, w), of all targets.
    k : int
        The target.
    spot : Spot
        Of the view.
    """
    total = float(heat[k].sum())
    if total <= 1e-3:  # a thousandth of a bit in all is rounding
        return 0.0, spot.z, -1.0, -1.0, -1.0, -1.0
    side = max(3, min(heat.shape[1:]) // WINDOW) | 1
    half = side // 2
    # Down and then across: the same means in a twelfth of the time.
    down = F.avg_pool2d(heat[k][None, None], (side, 1), 1, (half, 0))
    blurred = F.avg_pool2d(down, (1, side), 1, (0, half))[0, 0]
    y, x = divmod(int(blurred.argmax()), heat.shape[2])
    around = (
        slice(max(0, y - half), y + half + 1),
        slice(max(0, x - half), x + half + 1),
    )
    scale = spot.box.height / spot.box.scaled[0]
    return (
        total,
        float(spot.z),
        (spot.top + (y + 0.5) * scale) / spot.height,
        (spot.left + (x + 0.5) * scale) / spot.width,
        float(_relation(heat[k], found[k], around)),
        float(_neighbour(found, k, y, x)),
    )


def _relation(heat: Tensor, found: Tensor, around: tuple[slice, slice]) -> int:
    """0 where the heat lies along the outline, 1 inside what was found, 2 beside it."""
    wide, narrow = _grown(found[None, None])[0, 0], _shrunk(found[None, None])[0, 0]
    parts = (wide & ~narrow, narrow, ~wide)
    hot = heat[around]
    return int(np.argmax([float((hot * part[around]).sum()) for part in parts]))


def _neighbour(found: Tensor, k: int, y: int, x: int) -> int:
    """The other target with most pixels around a place on this one's outline, or -1."""
    rows, columns = (
        slice(max(0, y - BESIDE), y + BESIDE + 1),
        slice(max(0, x - BESIDE), x + BESIDE + 1),
    )
    here = found[:, rows, columns].sum((1, 2))
    if not int(here[k]):
        return -1
    here[k] = 0
    best = int(here.argmax())
    return best if int(here[best]) else -1


def _grown(mask: Tensor) -> Tensor:
    """(n, K, h, w) bool, grown by `BESIDE` // 2 + 1 pixels."""
    return F.max_pool2d(mask.float(), 5, 1, 2) > 0


def _shrunk(mask: Tensor) -> Tensor:
    """(n, K, h, w) bool, without its outermost pixels."""
    return F.max_pool2d((~mask).float(), 3, 1, 1) == 0
