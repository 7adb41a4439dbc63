"""Timing in turns: what is compared is disturbed alike."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: ours, what stands beside it, and the goal.

    Attributes
    ----------
    what, beside, goal : str
    ours, theirs : float
        Seconds, or whatever `unit` says.
    unit : str
        ``"s"`` is printed in milliseconds.
    """

    what: str
    ours: float
    beside: str
    theirs: float
    goal: str = ""
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """Theirs by ours: how many times faster ours is."""
        return self.theirs / self.ours


def in_turns(
    *works: Callable[[], object], rounds: int = 7, warm: int = 2
) -> list[float]:
    """Median seconds of each work, timed in turns."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(warm + rounds):
        for work, taken in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            if turn >= warm:
                taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in times]
