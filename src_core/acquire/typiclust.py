"""For the first images, when no model exists: the typical ones of each group by look.

TypiClust, Hacohen et al., ICML 2022, arXiv 2202.02794: as many clusters as there will
be labels; from the largest with fewest of them, the image with the most look-alikes;
clusters of fewer than five are outliers and come last. Their features are
self-supervised ones, ours those of the look or of the model. A cluster's second pick is
one that also lies far from its first: the paper never comes to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from src_core.acquire.base import Pick, Pool, make_pick
from src_core.acquire.batch import Batch
from src_core.acquire.likeness import clusters, ranks, squared

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_CLUSTERS = 100
OUTLIERS = 5


class TypiClust:
    """Typical and diverse."""

    name: ClassVar[str] = "typiclust"
    needs: ClassVar[str] = ""
    blind: ClassVar[bool] = False

    def pick(self, pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        """Return at most `count` picks."""
        batch, picks = Batch(pool), list[Pick]()
        groups = Groups(pool, count, rng)
        while batch.left() and len(picks) < count:
            best = groups.next(batch.open())
            batch.take(best)
            groups.cover(best)
            picks.append(
                make_pick(pool, best, 1.0 / len(batch.taken), groups.why(best))
            )
        return picks


class Groups:
    """The pool's images in groups by look, and which groups are still bare.

    Parameters
    ----------
    pool : Pool
        The candidates.
    count : int
        How many picks are wanted.
    rng : Generator
        Of the clustering.
    bonus : ndarray, optional
        (N,) added to the typicality, which is 0 to 1.
    """

    def __init__(
        self,
        pool: Pool,
        count: int,
        rng: np.random.Generator,
        bonus: NDArray[np.floating] | None = None,
    ) -> None:
        self._pool = pool
        # Every labelled image covers its group for the targets it is finished for.
        most = max((len(goal.labelled) for goal in pool.goals), default=0)
        number = min(MOST_CLUSTERS, most + count, len(pool.gallery))
        self._cluster = clusters(pool.gallery.features, max(1, number), rng)
        self._size = np.bincount(self._cluster)
        # Where all groups are small, none is an outlier for that.
        self._smallest = min(OUTLIERS, float(np.median(self._size)) / 2)
        self._covered = np.zeros((len(pool.goals), len(self._size)), np.int64)
        for row, goal in zip(self._covered, pool.goals, strict=True):
            np.add.at(row, self._cluster[goal.labelled], 1)
        self._mine = self._cluster[pool.image]
        self._taken: list[int] = []
        self._typical = pool.gallery.typicality[pool.image]
        if bonus is not None:
            self._typical = self._typical + bonus

    def next(self, wanted: NDArray[np.bool_]) -> int:
        """Return which of `wanted` (N,) stands best for what is least covered."""
        covered = self._covered[self._pool.goal, self._mine]
        size = self._size[self._mine]
        # Outliers last, then by labels, then by size: three keys in one number.
        key = np.where(size < self._smallest, 1e12, 0.0) + 1e6 * covered - size
        key = np.where(wanted, key, np.inf)
        first = int(np.argmin(key))
        here = wanted & (self._mine == self._mine[first]) & (key == key[first])
        typical = np.where(here, self._typical, -np.inf)
        if covered[first]:
            typical = np.where(here, typical + self._apart(here), -np.inf)
        return int(np.argmax(typical))

    def cover(self, candidate: int) -> None:
        """Count a pick among what covers the groups, for every target."""
        self._covered[:, self._mine[candidate]] += 1
        self._taken.append(int(self._pool.image[candidate]))

    def _apart(self, here: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(N,) how far candidates of one group lie from what covers it, as a rank."""
        pool, rows = self._pool, np.flatnonzero(here)
        group = self._mine[rows[0]]
        labelled = np.concatenate([goal.labelled for goal in pool.goals])
        covering = np.unique(np.append(labelled, self._taken).astype(np.int64))
        covering = covering[self._cluster[covering] == group]
        features = pool.gallery.features
        apart = squared(features[pool.image[rows]], features[covering]).min(1)
        found = np.zeros(len(pool), np.float32)
        found[rows] = ranks(apart)
        return found

    def why(self, candidate: int) -> str:
        """Say which group the candidate stands for."""
        size = int(self._size[self._mine[candidate]])
        if size == 1:
            return "looks like no other image"
        return f"typical of a group of {size} images that look alike"
