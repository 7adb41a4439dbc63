"""Labelled training images that show what a target may look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from src_core.train import Pool

MOST = 200
"""Pictures in all; the slices of a volume are one each."""


def familiar(pool: Pool, first: Collection[str] = ()) -> list[str]:
    """Choose labelled training images, evenly over all that there are.

    Parameters
    ----------
    pool : Pool
        What was trained on.
    first : collection of str
        Images to be among them whatever else is.

    Returns
    -------
    list of str
        Ids of images, none twice, with at most about `MOST` pictures.
    """
    pictures: dict[str, int] = {}
    for row in pool.labelled.tolist():
        name = pool.owner(row)
        pictures[name] = pictures.get(name, 0) + 1
    chosen = [name for name in pictures if name in first]
    rest = [name for name in pictures if name not in first]
    room = MOST - sum(pictures[name] for name in chosen)
    wide = max(1.0, sum(pictures[name] for name in rest) / max(1, len(rest)))
    count = min(len(rest), max(0, int(room / wide)))
    places = np.linspace(0, len(rest) - 1, count).round().astype(int)
    return chosen + [rest[place] for place in places.tolist()]
