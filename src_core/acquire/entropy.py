"""Where the model is least sure: entropy, drawn with power noise.

Plain top-k entropy is risky: it picks look-alikes and outliers, and its gain flips
sign between seeds. Noise on the ranking (ClaSP PE, arXiv 2601.13677: Gumbel noise
on the log of the score) keeps the batch diverse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from src_core.acquire.base import Candidate, Pick, spread

if TYPE_CHECKING:
    from collections.abc import Sequence


class Entropy:
    """Probability of a pick grows with the model's entropy, patients in turn."""

    name: ClassVar[str] = "entropy"
    asks_model: ClassVar[bool] = True
    POWER: ClassVar[float] = 4.0

    def pick(
        self, candidates: Sequence[Candidate], count: int, rng: np.random.Generator
    ) -> list[Pick]:
        """Return at most `count` picks."""
        entropy = np.array([c.entropy or 0.0 for c in candidates])
        noise = rng.gumbel(size=len(candidates)) / self.POWER
        scores = np.log(entropy + 1e-6) + noise
        ranked = []
        for i in np.argsort(-scores):
            candidate = candidates[i]
            reason = (
                f"the model is unsure of the outline ({entropy[i]:.2f} bit a pixel)"
            )
            pick = Pick(candidate.image, candidate.target, float(scores[i]), reason)
            ranked.append((candidate, pick))
        return spread(ranked, count)
