"""By chance: the baseline, and never a foolish choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from src_core.acquire.batch import best_in_turn
from src_core.acquire.words import BY_CHANCE

if TYPE_CHECKING:
    import numpy as np

    from src_core.acquire.base import Pick, Pool


class Random:
    """Every candidate is as likely as any other, patients in turn."""

    name: ClassVar[str] = "random"
    needs: ClassVar[str] = ""
    blind: ClassVar[bool] = True

    def pick(self, pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        """Return at most `count` picks."""
        return best_in_turn(pool, rng.random(len(pool)), count, lambda _: BY_CHANCE)
