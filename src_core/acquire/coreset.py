"""Cover the pool: k-centre on the network's bottleneck features.

Sener & Savarese, ICLR 2018, arXiv 1708.00489: the greedy 2-approximation, each next
pick the image farthest from all that is labelled or picked. Before there is a model,
the features are those of the look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from src_core.acquire.base import Pick, Pool, make_pick
from src_core.acquire.batch import Batch
from src_core.acquire.words import likeness

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Coreset:
    """Farthest first."""

    name: ClassVar[str] = "coreset"
    needs: ClassVar[str] = ""
    blind: ClassVar[bool] = False

    def pick(self, pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        """Return at most `count` picks."""
        batch, picks = Batch(pool), list[Pick]()
        far = pool.distance()
        while batch.left() and len(picks) < count:
            best = farthest(pool, far, batch.open())
            batch.take(best)
            picks.append(
                make_pick(pool, best, _finite(far[best]), likeness(pool, best))
            )
            near = pool.gallery.apart_from(int(pool.image[best]))
            far = np.minimum(far, near[pool.image])
        return picks


def farthest(pool: Pool, far: NDArray[np.float32], wanted: NDArray[np.bool_]) -> int:
    """Return the candidate of `wanted` (N,) farthest from everything chosen.

    Where nothing is labelled all are infinitely far, and the most typical begins.
    """
    score = np.where(wanted, far, -np.inf)
    if np.isinf(score.max()):
        typical = pool.gallery.typicality[pool.image]
        score = np.where(score == np.inf, typical, -np.inf)
    return int(np.argmax(score))


def _finite(distance: np.float32) -> float:
    return float(distance) if np.isfinite(distance) else 1e6
