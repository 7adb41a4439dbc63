"""Which of the weights that a training passed through are kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from scipy.special import ndtr, stdtrit
from torch import Tensor

if TYPE_CHECKING:
    from src_core.nets import PromptNet

State = dict[str, Tensor]
ONE_SIGMA = float(ndtr(1.0))


@dataclass(frozen=True, slots=True)
class Candidate:
    """Weights, and how they did on the pairs that judge them.

    Attributes
    ----------
    weights : dict
        A network's state, on the CPU.
    dices : Tensor
        (n + m,) Dice of each validation pair, and after them of each missed one.
    """

    weights: State
    dices: Tensor

    @classmethod
    def of(cls, net: PromptNet, dices: Tensor) -> Candidate:
        """Copy the weights of a network that is trained on; `dices` (n + m,)."""
        state = net.state_dict()
        return cls({k: v.detach().cpu().clone() for k, v in state.items()}, dices)

    @property
    def is_finite(self) -> bool:
        """Whether all weights are numbers; else nothing is ever found with them."""
        return all(bool(value.isfinite().all()) for value in self.weights.values())


@dataclass(slots=True)
class Selection:
    """Keeps the best weights by the validation split, within what it can tell.

    A first project has a handful of validation images. The highest of twenty looks at
    two pictures is luck, and its weights are those of a training that had not ended:
    on Kvasir with 8 labelled pictures it gave away 2.6 and 4.4 Dice in two runs. So
    the latest weights are kept unless earlier ones are better by more than a standard
    error of their paired difference.

    Labelled pairs that the version before had missed count beside the split, by their
    share of all that is labelled (:mod:`src_core.train.missed`).

    Attributes
    ----------
    targets : Tensor
        (n,) the target of each validation pair; each target counts the same.
    share : float
        Weight of the missed pairs, 0 to 1; the validation split has the rest.
    best : Candidate or None
        Of the highest mean so far.
    latest : Candidate or None
    """

    targets: Tensor
    share: float = 0.0
    best: Candidate | None = None
    latest: Candidate | None = None
    _kinds: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self._kinds = self.targets.unique()

    def score(self, dices: Tensor) -> float:
        """Mean over targets of the mean over validation pairs; NaN without any."""
        return self._stratified(dices[: len(self.targets)])[0]

    def clearly_better(self, first: Tensor, second: Tensor) -> bool:
        """Whether the first (n + m,) beats the second by more than a standard error.

        Of few pairs the error itself is hardly known: Student's quantile at the same
        level, 1.84 with one degree of freedom, takes the place of the 1.
        """
        mean, error = self._mean_and_error(first - second)
        freedom = len(self.targets) - len(self._kinds)
        return freedom > 0 and mean > error * float(stdtrit(freedom, ONE_SIGMA))

    def offer(self, candidate: Candidate) -> None:
        """Take note of the weights of one look, if they are numbers."""
        if not candidate.is_finite:
            return
        self.latest = candidate
        best = self.best
        if best is None or self._mean(candidate) >= self._mean(best):
            self.best = candidate

    @property
    def chosen(self) -> Candidate | None:
        """What to keep if the training ends now."""
        best, latest = self.best, self.latest
        if best is None or latest is None or len(self.targets) == 0:
            return latest
        clearly = self.clearly_better(best.dices, latest.dices)
        return best if clearly else latest

    def state_dict(self) -> State:
        """Return the best so far as tensors, for a checkpoint; empty before any look.

        The latest need not be kept: a resumed training looks again before it ends.
        """
        if self.best is None:
            return {}
        weights = {f"best.{k}": v for k, v in self.best.weights.items()}
        return weights | {"best_dices": self.best.dices}

    def load_state_dict(self, tensors: State) -> None:
        """Take the best from the tensors of a checkpoint, which may hold others."""
        weights = {
            name.removeprefix("best."): value
            for name, value in tensors.items()
            if name.startswith("best.")
        }
        self.best = Candidate(weights, tensors["best_dices"]) if weights else None

    def _mean(self, candidate: Candidate) -> float:
        return self._mean_and_error(candidate.dices)[0]

    def _mean_and_error(self, values: Tensor) -> tuple[float, float]:
        """Mean of (n + m,) values by the shares, and its standard error."""
        count = len(self.targets)
        mean, error = self._stratified(values[:count])
        rest = values[count:].double()
        if len(rest) == 0:
            return mean, error
        spread = float(rest.std(correction=0)) / math.sqrt(len(rest))
        mean = (1 - self.share) * mean + self.share * float(rest.mean())
        return mean, math.hypot((1 - self.share) * error, self.share * spread)

    def _stratified(self, values: Tensor) -> tuple[float, float]:
        """Mean over targets of the means of (n,) values, and its standard error.

        A target with a single pair says nothing of its own spread; the spread of all
        pairs stands in for it, and one pair in all leaves the error unknown: infinite.
        """
        if len(values) == 0:
            return math.nan, math.nan
        if len(values) == 1:
            return float(values[0]), math.inf
        values = values.double()
        spread = values.var()
        means, errors = [], []
        for kind in self._kinds:
            some = values[self.targets == kind]
            means.append(some.mean())
            errors.append((some.var() if len(some) > 1 else spread) / len(some))
        count = len(self._kinds)
        error = torch.stack(errors).sum().sqrt() / count
        return float(torch.stack(means).mean()), float(error)
