"""What a training tells, while it runs and when it is over, and what stops it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from src_core.train.missed import Regained

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the validation split.

    Attributes
    ----------
    step : int
    seconds : float
        Of training until then.
    progress : float
        Of the budget, 0 to 1.
    raw, average : float
        Dice of the trained and of the averaged weights; NaN where it was not looked
        at, for want of a split or because the average had overtaken before.
    """

    step: int
    seconds: float
    progress: float
    raw: float
    average: float

    @property
    def dice(self) -> float:
        """The better of the two; NaN without a validation split."""
        return self.average if math.isnan(self.raw) else max(self.raw, self.average)


@dataclass(frozen=True, slots=True)
class Progress:
    """What the loop tells while it runs.

    Attributes
    ----------
    phase : str
        ``"labelled images"`` while burning in, then ``"all images"``.
    step : int
    done : float
        Share of the budget, 0 to 1.
    seconds, seconds_left : float
    losses : dict
        Name to value of the last step that was looked at.
    looks : tuple of Look
        The validation curve so far.
    """

    phase: str
    step: int
    done: float
    seconds: float
    seconds_left: float
    losses: dict[str, float]
    looks: tuple[Look, ...]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training gave.

    Attributes
    ----------
    weights : dict
        The network's state: the best on the validation split, as far as it can tell.
    dice : float
        Of those; NaN without a validation split.
    step : int
        Steps made.
    seconds : float
        Of training, resumed runs added up.
    looks : tuple of Look
    stopped : bool
        Whether it was asked to stop before its budget was spent.
    joined : bool
        Whether images without truth taught, too.
    regained : Regained or None
        How it did on labelled pairs that the version before had missed, if any.
    """

    weights: State
    dice: float
    step: int
    seconds: float
    looks: tuple[Look, ...]
    stopped: bool
    joined: bool
    regained: Regained | None = None


@dataclass(slots=True)
class Hooks:
    """How the loop talks to whoever runs it.

    Attributes
    ----------
    report : callable
        Called with a :class:`Progress`, about twice a second.
    should_stop : callable
        Asked at every step; True ends the training with the best so far.
    checkpoint : Path, optional
        A file to save to every so often, and to resume from where it exists.
    """

    report: Callable[[Progress], None] = lambda progress: None
    should_stop: Callable[[], bool] = lambda: False
    checkpoint: Path | None = None
