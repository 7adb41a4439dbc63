"""A batch that does not say the same thing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from src_core.acquire.base import ALONE, Pick, Pool, make_pick

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FAR = 1 << 20
"""Turns by which what repeats a pick waits: it comes when nothing else is left."""

TAKEN = 1 << 60


class Batch:
    """What may come next, given what was picked already.

    Patients come in turn: one image of each before a second of any. The slice beside
    one that was picked, and a picture that looks the same, wait until nothing else is
    left.

    Parameters
    ----------
    pool : Pool
        The candidates.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool, gallery = pool, pool.gallery
        self._group, self._twin, self._series, self._place = (
            of[pool.image]
            for of in (gallery.group, gallery.twin, gallery.series, gallery.place)
        )
        self._turn = np.zeros(len(pool), np.int64)
        self.taken: list[int] = []

    def open(self, among: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """(N,) the candidates whose turn it is, of all or of those in `among`."""
        turn = self._turn
        if among is not None and (turn[among] < FAR).any():
            turn = np.where(among, turn, TAKEN)
        return np.asarray(turn == turn.min())

    def left(self) -> int:
        """How many candidates have not been taken."""
        return len(self._turn) - len(self.taken)

    def take(self, candidate: int) -> None:
        """Put a candidate into the batch."""
        image = self._pool.image
        self._turn[self._group == self._group[candidate]] += 1
        beside = np.flatnonzero(self._twin == self._twin[candidate])
        if self._series[candidate] != ALONE:
            stack = np.flatnonzero(self._series == self._series[candidate])
            apart = np.abs(self._place[stack] - self._place[candidate])
            beside = np.union1d(beside, stack[apart == 1])
        # Another target of the very same image is no repetition, only a later turn.
        self._turn[beside[image[beside] != image[candidate]]] += FAR
        self._turn[candidate] = TAKEN
        self.taken.append(candidate)


def best_in_turn(
    pool: Pool,
    score: NDArray[np.floating],
    count: int,
    because: Callable[[int], str],
) -> list[Pick]:
    """Return the best-scored candidates, patients in turn.

    Parameters
    ----------
    pool : Pool
        The candidates.
    score : ndarray
        (N,) higher is more wanted; finite.
    count : int
        At most so many.
    because : callable
        Candidate to reason.
    """
    batch, picks = Batch(pool), list[Pick]()
    while batch.left() and len(picks) < count:
        best = int(np.argmax(np.where(batch.open(), score, -np.inf)))
        batch.take(best)
        picks.append(make_pick(pool, best, float(score[best]), because(best)))
    return picks
