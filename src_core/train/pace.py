"""Finds how many threads make a step fastest on this machine, at this moment.

Two threads that wait for each other on a busy machine were measured three to ten times
slower than one: napari draws, a second program computes, and every step waits for the
thread that was put aside. On a quiet machine two are nearly twice as fast. Nobody can
know beforehand, so it is tried now and then.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Pace:
    """Tries thread counts in turn, keeps the fastest for a while, tries again.

    Parameters
    ----------
    most : int
        Threads at most; 1 leaves nothing to try.
    use_threads : callable
        Sets the number of threads.
    clock : callable
        Seconds, for the tests.
    """

    TRIAL_STEPS = 4
    HOLD_SECONDS = 20.0

    def __init__(
        self,
        most: int,
        use_threads: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._candidates = sorted({most, max(1, most // 2), 1}, reverse=True)
        self._use_threads, self._clock = use_threads, clock
        self._trials: dict[int, list[float]] = {}
        self._hold_until = 0.0
        self.threads = most
        use_threads(most)

    def step_took(self, seconds: float) -> None:
        """Note how long the last step took, and change the threads if that is due."""
        if len(self._candidates) == 1 or self._clock() < self._hold_until:
            return
        took = self._trials.setdefault(self.threads, [])
        took.append(seconds)
        if len(took) < self.TRIAL_STEPS:
            return
        untried = [n for n in self._candidates if n not in self._trials]
        if untried:
            self._use(untried[0])
            return
        # The first step after a change also wakes threads up: the median forgives it.
        self._use(min(self._trials, key=lambda n: statistics.median(self._trials[n])))
        self._trials = {}
        self._hold_until = self._clock() + self.HOLD_SECONDS

    def _use(self, threads: int) -> None:
        if threads != self.threads:
            self.threads = threads
            self._use_threads(threads)
