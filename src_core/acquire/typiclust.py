"""For the first images, when no model exists: the typical ones of each group by look.

TypiClust, Hacohen et al., ICML 2022, arXiv 2202.02794: as many clusters as there will
be labels; from the largest with fewest of them, the image with the most look-alikes;
clusters of fewer than five are outliers and come last. Their features are
self-supervised ones, ours those of the look or of the model. How many labels there will
be nobody knows here, and a long list must begin as a short one does. Before there is a
model there is one cluster more than labels, and as soon as each has a label there are
more of them: so the first few cover all kinds. A model has learned the large clusters
from a few images, and what it lacks is in small ones: then there are as many as there
may be, five images in each on average. A cluster's second pick is one that also lies
far from its first: the paper never comes to it.
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
GROWTH = 1.25
"""Of the number of clusters before there is a model, by at least one."""

OUTLIERS = 5


class TypiClust:
    """Typical and diverse."""

    name: ClassVar[str] = "typiclust"
    needs: ClassVar[str] = ""
    blind: ClassVar[bool] = False

    def pick(self, pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        """Return at most `count` picks."""
        batch, picks = Batch(pool), list[Pick]()
        groups = Groups(pool, rng)
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
    rng : Generator
        Of the clustering.
    bonus : ndarray, optional
        (N,) added to the typicality, which is 0 to 1.
    """

    def __init__(
        self,
        pool: Pool,
        rng: np.random.Generator,
        bonus: NDArray[np.floating] | None = None,
    ) -> None:
        self._pool = pool
        self._rng = rng.spawn(1)[0]  # the same whatever else is drawn
        self._typical = pool.gallery.typicality[pool.image]
        if bonus is not None:
            self._typical = self._typical + bonus
        self._taken: list[int] = []
        most = max((len(goal.labelled) for goal in pool.goals), default=0)
        self._most = min(MOST_CLUSTERS, max(1, len(pool.gallery) // OUTLIERS))
        has_learned = most > 0 and bool(pool.scores)
        self._divide(self._most if has_learned else min(most + 1, self._most))

    def _divide(self, number: int) -> None:
        """Divide the pool into so many groups, and count what covers each."""
        pool = self._pool
        self._number = number
        self._cluster = clusters(pool.gallery.features, self._number, self._rng)
        self._size = np.bincount(self._cluster)
        # Where all groups are small, none is an outlier for that.
        self._smallest = min(OUTLIERS, float(np.median(self._size)) / 2)
        # Every labelled image covers its group for the targets it is finished for, and
        # every pick for all of them.
        self._covered = np.zeros((len(pool.goals), len(self._size)), np.int64)
        for row, goal in zip(self._covered, pool.goals, strict=True):
            np.add.at(row, self._cluster[goal.labelled], 1)
            np.add.at(row, self._cluster[np.array(self._taken, np.int64)], 1)
        self._mine = self._cluster[pool.image]

    def next(self, wanted: NDArray[np.bool_]) -> int:
        """Return which of `wanted` (N,) stands best for what is least covered."""
        while self._number < self._most and not self._bare(wanted).any():
            more = max(self._number + 1, round(GROWTH * self._number))
            self._divide(min(more, self._most))
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

    def _bare(self, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(N,) which of `wanted` are of a group that nothing covers; no outliers."""
        covered = self._covered[self._pool.goal, self._mine]
        large = self._size[self._mine] >= self._smallest
        return np.asarray(wanted & (covered == 0) & large)

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
        if size == len(self._pool.gallery) > 1:
            return "typical of all images"
        if size == 1:
            return "looks like no other image"
        return f"typical of a group of {size} images that look alike"
