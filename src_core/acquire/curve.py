"""When to stop: a learning curve, where it leads, and how sure that is.

Dice against labelled images nears a limit as a power law, ``a - b·n^-c`` (Figueroa et
al., 2012), or exponentially, ``a - b·exp(-n/p)``: nobody knows which beforehand, and a
power law alone held what came in half of the cases where the truth was the other. All
curves of a grid are weighed by how well they fit what was measured, with noise of
unknown size; what is said of the future is a mean over all of them, so that few points
give a wide interval and not a false certainty.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEWEST = 3
"""Different numbers of labelled images, from which on anything is extrapolated."""

ASYMPTOTES = np.linspace(0.2, 1.0, 33)
POWERS = np.array([0.15, 0.25, 0.35, 0.5, 0.7, 0.9, 1.2, 1.6])
PACES = np.array([2.0, 4.0, 8.0, 12.0, 18.0, 27.0, 40.0, 80.0])
"""Of the exponential ones: labelled images, in units of the smallest number of them,
divided by four."""

STARTS = np.linspace(0.0, 1.0, 26)
"""Share of the asymptote that is missing at the first point."""

NOISES = np.array([0.004, 0.008, 0.015, 0.03, 0.06])


@dataclass(frozen=True, slots=True)
class Expected:
    """A value with its 90 % interval.

    Attributes
    ----------
    mean, low, high : float
        Dice, or a difference of two.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class LearningCurve:
    """Power laws and how likely each is.

    Attributes
    ----------
    first : float
        The smallest number of labelled images that was measured.
    a, b : ndarray
        (G,) limit, and what is missing to it at the first point.
    c : ndarray
        (G,) of the law: ``(n / first)^-c`` is still missing where it is positive,
        ``exp(c·(n / first - 1))`` where it is negative.
    weight : ndarray
        (G,) sums to 1.
    """

    first: float
    a: Floats
    b: Floats
    c: Floats
    weight: Floats

    @classmethod
    def fit(
        cls, counts: Sequence[float], dices: Sequence[float]
    ) -> LearningCurve | None:
        """Weigh all curves of the grid.

        Parameters
        ----------
        counts : sequence of float
            Labelled images, more than 0.
        dices : sequence of float
            Validation Dice, 0 to 1.

        Returns
        -------
        LearningCurve or None
            None of fewer than `FEWEST` different numbers of images.
        """
        n, dice = np.asarray(counts, np.float64), np.asarray(dices, np.float64)
        if len(np.unique(n)) < FEWEST:
            return None
        first = float(n.min())
        a, missing, c = (
            grid.ravel()
            for grid in np.meshgrid(
                ASYMPTOTES, STARTS, [*POWERS, *(-4.0 / PACES)], indexing="ij"
            )
        )
        b = a * missing
        squares = np.zeros_like(a)
        for count, value in zip(n, dice, strict=True):
            squares += (a - b * _left(count / first, c) - value) ** 2
        # Each size of noise is as likely beforehand as any other.
        logs = [-0.5 * squares / noise**2 - len(n) * np.log(noise) for noise in NOISES]
        log = np.logaddexp.reduce(logs, axis=0)
        weight = np.exp(log - log.max())
        return cls(first, a, b, c, weight / weight.sum())

    def at(self, count: float) -> Expected:
        """Return the Dice to be expected with so many labelled images."""
        return self._summary(self._values(count))

    def gain(self, now: float, more: float) -> Expected:
        """Return what `more` labelled images are expected to add to `now`."""
        return self._summary(self._values(now + more) - self._values(now))

    def enough(self, now: float, worth: float = 0.005, step: float = 30) -> float:
        """Return how sure it is that `step` more images add less than `worth` Dice."""
        gained = self._values(now + step) - self._values(now)
        return float(self.weight @ (gained < worth))

    def _values(self, count: float) -> Floats:
        return np.asarray(self.a - self.b * _left(count / self.first, self.c))

    def _summary(self, values: Floats) -> Expected:
        order = np.argsort(values)
        cumulative = np.cumsum(self.weight[order])
        at = np.searchsorted(cumulative, (0.05, 0.95)).clip(max=len(order) - 1)
        low, high = values[order][at].tolist()
        return Expected(float(self.weight @ values), low, high)


def _left(times: float, c: Floats) -> Floats:
    """Share of what was missing at the first point, at so many times its labels."""
    power = times ** -np.maximum(c, 0.0)
    return np.asarray(np.where(c > 0, power, np.exp(c * (times - 1.0))))


def area_under(counts: Sequence[float], dices: Sequence[float]) -> float:
    """Mean Dice along the curve, by the trapezoid rule over the labelled images."""
    if len(counts) < 2:
        return float(dices[0]) if len(dices) else 0.0
    pairs = list(itertools.pairwise(sorted(zip(counts, dices, strict=True))))
    area = sum((m - n) * (x + y) / 2 for (n, x), (m, y) in pairs)
    return float(area / (max(counts) - min(counts)))


def labels_needed(
    counts: Sequence[float], dices: Sequence[float], wanted: float
) -> float | None:
    """Labelled images at which the curve first reaches a Dice, between two linearly.

    None where it never does.
    """
    points = sorted(zip(counts, dices, strict=True))
    if points and points[0][1] >= wanted:
        return float(points[0][0])
    for (n, x), (m, y) in itertools.pairwise(points):
        if y >= wanted > x:
            return float(n + (m - n) * (wanted - x) / (y - x))
    return None
