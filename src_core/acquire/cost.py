"""How long a correction takes, learned from the project's own history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 5
"""Corrections from which on anything is predicted at all."""

PRIOR = 4.0
"""A target's own mean counts as much as that of all targets once it has so many."""

STIFFNESS = 8.0
"""Of the slopes, in corrections: with few of them the mean speaks alone."""

HALF_LIFE = 60.0
"""Corrections after which one counts half: people and proposals get quicker."""


@dataclass(frozen=True, slots=True, eq=False)
class CostModel:
    """Logarithm of the seconds: a mean for each target, and slopes on the traits.

    Attributes
    ----------
    targets : ndarray
        (T,) mean log seconds, drawn towards that of all targets where it has few.
    slopes : ndarray
        (K,) on the standardised traits.
    centre, scale : ndarray
        (K,) of the traits.
    low, high : float
        Log seconds between which predictions stay: within what was seen.
    """

    targets: NDArray[np.float64]
    slopes: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    low: float
    high: float

    @classmethod
    def fit(
        cls,
        target: NDArray[np.int64],
        traits: NDArray[np.floating],
        seconds: NDArray[np.floating],
        targets: int,
    ) -> CostModel | None:
        """Learn from corrections, oldest first.

        Parameters
        ----------
        target : ndarray
            (n,) number of the target.
        traits : ndarray
            (n, K) such as the logarithm of the outline's length; NaN where unknown.
        seconds : ndarray
            (n,) more than 0.
        targets : int
            T.

        Returns
        -------
        CostModel or None
            None of fewer than `FEWEST` corrections.
        """
        if len(seconds) < FEWEST:
            return None
        log = np.log(np.asarray(seconds, np.float64))
        # Somebody was called away: a quarter of an hour is no correction's length.
        middle = float(np.median(log))
        spread = 1.4826 * float(np.median(np.abs(log - middle))) + 0.1
        log = log.clip(middle - 3 * spread, middle + 3 * spread)
        weight = 0.5 ** (np.arange(len(log))[::-1] / HALF_LIFE)
        whole = float(np.average(log, weights=weight))
        means = np.full(targets, whole)
        for number in range(targets):
            mine = weight * (target == number)
            means[number] = (mine @ log + PRIOR * whole) / (mine.sum() + PRIOR)
        known = np.isfinite(traits).all(1)
        given = np.where(known[:, None], traits, 0.0).astype(np.float64)
        share = weight * known / max(float((weight * known).sum()), 1e-9)
        centre = share @ given
        scale = np.sqrt(share @ (given - centre) ** 2) + 1e-6
        standard = (given - centre) / scale * known[:, None]
        left = (log - means[target]) * known
        gram = (standard * weight[:, None]).T @ standard
        gram += STIFFNESS * np.eye(gram.shape[0])
        slopes = np.linalg.solve(gram, (standard * weight[:, None]).T @ left)
        return cls(means, slopes, centre, scale, float(log.min()), float(log.max()))

    def predict(
        self, target: NDArray[np.int64], traits: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """(N,) targets and (N, K) traits -> expected seconds (N,).

        Where a trait is NaN the target's mean speaks alone.
        """
        standard = (np.asarray(traits, np.float64) - self.centre) / self.scale
        standard = np.nan_to_num(standard, nan=0.0)
        log = self.targets[target] + standard @ self.slopes
        return np.asarray(np.exp(log.clip(self.low, self.high)), np.float32)
