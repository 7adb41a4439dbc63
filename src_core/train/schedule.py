"""The clock of a training: budget, learning rate, burn-in and ramp."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from src_core.config import BurnInSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(slots=True)
class Budget:
    """How long a training may take: seconds or steps, whichever is given.

    Attributes
    ----------
    seconds, steps : float or int, optional
        The limit; one of the two.
    spent : float
        Seconds of earlier runs of the same training, when it was resumed.
    clock : callable
        What seconds are read from. On a shared machine ``time.process_time`` makes
        trainings comparable, with one thread: it stands still while others compute.
    """

    seconds: float | None = None
    steps: int | None = None
    spent: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock()

    def elapsed(self) -> float:
        """Seconds spent so far."""
        return self.spent + self.clock() - self._started

    def progress(self, step: int) -> float:
        """Share of the budget that is spent, 0 to 1."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        return min(1.0, self.elapsed() / (self.seconds or math.inf))

    def seconds_left(self, step: int) -> float:
        """Estimate of the seconds still to come."""
        done = self.progress(step)
        if self.seconds is not None:
            return max(0.0, self.seconds - self.elapsed())
        return self.elapsed() * (1.0 / done - 1.0) if done > 0 else math.inf

    def steps_left(self, step: int) -> float:
        """Estimate of the steps still to come, at the pace so far."""
        done = self.progress(step)
        return step * (1.0 / done - 1.0) if done > 0 else math.inf


def learning_rate_factor(progress: float, warmup: float) -> float:
    """Linear warm-up, then a cosine to 1 % by the clock of the budget."""
    if progress < warmup:
        return max(0.02, progress / warmup)
    rest = (progress - warmup) / max(1e-9, 1.0 - warmup)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, rest)))


def side_of_pictures(progress: float, full: int, small: float) -> int:
    """Progressive resizing: pictures of about two thirds the side come first.

    A step then costs less than half, and what is learned of shapes and places holds at
    the full size (Tan and Le, EfficientNetV2, ICML 2021, arXiv 2104.00298).

    Parameters
    ----------
    progress : float
        Of the budget, 0 to 1.
    full : int
        Side of the pool's pictures, pixels.
    small : float
        Share of the budget that sees the smaller ones.

    Returns
    -------
    int
        A multiple of 32, never below 64 nor above `full`.
    """
    if progress >= small:
        return full
    return min(full, max(64, 32 * round(full * 2 / 3 / 32)))


class BurnIn(BurnInSettings):
    """When the unlabelled images join: as soon as supervision has reached its plateau.

    Measured: from the start they cost Dice on every set tried, down to collapse on
    small targets. What joins while supervision still climbs is taught by a teacher that
    does not know yet, and takes the steps in which most is learned. A validation split
    of few pictures of one kind says that all is well when it is not: so a teacher has
    a number of steps behind it, too. And they cost half of the labelled images of each
    step, which takes some time to be won back: so there are steps ahead of it. Where
    labelled images are many, each is worth more than what a teacher says of another one
    until all have been shown often. A round too short for any of it is supervised.
    """

    def is_over(
        self,
        progress: float,
        curve: Sequence[tuple[float, float]],
        pairs: int,
        behind: int,
        shown: float,
        ahead: float,
    ) -> bool:
        """Whether the unlabelled images join now.

        Parameters
        ----------
        progress : float
            Of the budget, 0 to 1.
        curve : sequence of (float, float)
            Progress and the averaged network's validation Dice, NaN without a split.
        pairs : int
            Of the validation split. The mean of a few says whether the network still
            changes, but not how good it is: on Kvasir with two pictures it stayed below
            0.4 while the Dice of 22 others was 0.51.
        behind : int
            Steps that the teacher has made, those of earlier rounds included.
        shown : float
            How often each labelled image has been shown in these steps, on average.
        ahead : float
            Steps that there is still time for.
        """
        if behind < self.behind or shown < self.shown or ahead < self.ahead:
            return False
        if not self.start <= progress <= self.latest or not curve:
            return False
        at, now = curve[-1]
        if math.isnan(now):
            return progress >= self.blind
        before = [dice for past, dice in curve if past <= at - self.window + 1e-9]
        good = now >= self.dice or pairs < self.pairs
        return bool(before) and good and now - before[-1] < self.gain

    def ramp(self, progress: float, began: float | None) -> float:
        """Weight of the unlabelled terms: exp(-5·(1 - t)²) along the ramp.

        Parameters
        ----------
        progress : float
            Of the budget, 0 to 1.
        began : float or None
            The progress at which they joined; None before.
        """
        if began is None:
            return 0.0
        t = min(1.0, max(0.0, (progress - began) / max(self.length, 1e-9)))
        return math.exp(-5.0 * (1.0 - t) ** 2)
