"""What the strategies that follow one of the model's scores have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from src_core.acquire.batch import best_in_turn
from src_core.acquire.words import joined, likeness, where

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from src_core.acquire.base import Pick, Pool

POWER = 4.0


def power_noise(
    score: NDArray[np.floating], rng: np.random.Generator, power: float = POWER
) -> NDArray[np.float64]:
    """Return the logarithm of a score with Gumbel noise on it.

    The best of these is drawn with a probability that grows with score ** power. Plain
    top-k picks look-alikes and outliers, and its gain flips sign between seeds (power
    noise as in ClaSP PE, arXiv 2601.13677).

    Parameters
    ----------
    score : ndarray
        (N,) of 0 or more; NaN, where the model said nothing, comes last.
    rng : Generator
        Of the noise.
    power : float
        Infinity would be plain top-k, 0 is chance.
    """
    known = np.nan_to_num(np.asarray(score, np.float64), nan=0.0).clip(0.0)
    noise = rng.gumbel(size=len(known)) / power
    return np.asarray(np.log(known + 1e-6) + noise)


class Uncertain(ABC):
    """Base: a pick is the likelier the higher one score is, patients in turn."""

    name: ClassVar[str]
    needs: ClassVar[str]
    blind: ClassVar[bool] = False

    def pick(self, pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        """Return at most `count` picks."""
        score = pool.scores[self.needs]

        def because(candidate: int) -> str:
            said = self.says(pool, float(np.nan_to_num(score[candidate])))
            place = where(pool, candidate)
            here = f"{said}, most {place}" if place else said
            return joined(here, likeness(pool, candidate))

        return best_in_turn(pool, power_noise(score, rng), count, because)

    @abstractmethod
    def says(self, pool: Pool, score: float) -> str:
        """Return the score in words."""
