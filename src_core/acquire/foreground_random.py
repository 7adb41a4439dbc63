"""By chance among images in which the model sees the target.

Much of the literature fails to beat this baseline (nnActive, arXiv 2511.19183), so it
stands in every table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from src_core.acquire.batch import best_in_turn

if TYPE_CHECKING:
    from src_core.acquire.base import Pick, Pool


class ForegroundRandom:
    """As random, but images with the target come before those without."""

    name: ClassVar[str] = "foreground-random"
    needs: ClassVar[str] = "foreground"
    blind: ClassVar[bool] = False

    def pick(self, pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        """Return at most `count` picks."""
        seen = np.nan_to_num(pool.scores["foreground"]) > 0

        def because(candidate: int) -> str:
            if seen[candidate]:
                return "drawn by chance among the images in which the model sees it"
            return "drawn by chance; the model does not see it in any image left"

        return best_in_turn(pool, rng.random(len(pool)) + seen, count, because)
