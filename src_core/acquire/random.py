"""By chance: the baseline, and the only fair choice before there is a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from src_core.acquire.base import Candidate, Pick, spread

if TYPE_CHECKING:
    from collections.abc import Sequence


class Random:
    """Every candidate is as likely as any other, patients in turn."""

    name: ClassVar[str] = "random"
    asks_model: ClassVar[bool] = False

    def pick(
        self, candidates: Sequence[Candidate], count: int, rng: np.random.Generator
    ) -> list[Pick]:
        """Return at most `count` picks."""
        keys = rng.random(len(candidates))
        ranked = [
            (candidates[i], self._because(candidates[i], float(keys[i])))
            for i in np.argsort(-keys)
        ]
        return spread(ranked, count)

    @staticmethod
    def _because(candidate: Candidate, key: float) -> Pick:
        reason = "drawn by chance among the images not yet labelled, patients in turn"
        return Pick(candidate.image, candidate.target, key, reason)
