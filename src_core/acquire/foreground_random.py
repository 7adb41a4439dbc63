"""By chance among images in which the model sees the target.

Much of the literature fails to beat this baseline (nnActive, arXiv 2511.19183), so it
stands in every table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from src_core.acquire.base import Candidate, Pick, spread

if TYPE_CHECKING:
    from collections.abc import Sequence


class ForegroundRandom:
    """As random, but images with the target come before those without."""

    name: ClassVar[str] = "foreground-random"
    asks_model: ClassVar[bool] = True

    def pick(
        self, candidates: Sequence[Candidate], count: int, rng: np.random.Generator
    ) -> list[Pick]:
        """Return at most `count` picks."""
        keys = rng.random(len(candidates))
        seen = np.array([(c.foreground or 0.0) > 0 for c in candidates], dtype=float)
        scores = keys + seen
        ranked = []
        for i in np.argsort(-scores):
            reason = (
                "drawn by chance among the images in which the model sees the target"
                if seen[i]
                else "drawn by chance; the model sees no target in it"
            )
            candidate = candidates[i]
            pick = Pick(candidate.image, candidate.target, float(scores[i]), reason)
            ranked.append((candidate, pick))
        return spread(ranked, count)
