"""Labelled pairs that a version misses, though a training goes on from it.

A new kind of picture is rare when its first masks are saved, and a network that has
settled on "nothing here" is hard to move by a few of them among many: on DSB-2018 two
pictures of dark cells on white, of 40 labelled, stayed at Dice 0 through a whole round
that drew all labelled ones alike. So they fill a fixed part of the batches until they
are found. And they have a say in which weights are kept, by their share of all that is
labelled: where no validation picture is of their kind, the weights that have not begun
to learn it look best.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from src_core.train.asked import Asked
from src_core.types import Split

if TYPE_CHECKING:
    from src_core.devices import Device
    from src_core.nets import PromptNet
    from src_core.train.pool import Pool
    from src_core.train.wordings import Wordings

SHARE = 0.4
"""Of the labelled pairs of a batch, those that are missed; more where they are more."""

LOST, FOUND = 0.1, 0.5
"""Dice below which a pair counts as missed, and from which it no longer does."""

LIMIT = 300
"""At most so many labelled pairs are looked at: it takes a part of the round's time."""

State = dict[str, Tensor]


@dataclass(slots=True)
class Missed:
    """What the weights missed that a training began from.

    Attributes
    ----------
    pairs : Tensor
        (m, 2) long, image and target.
    share : float
        Of all labelled pairs that show something.
    before : float
        Mean Dice of the missed pairs by those weights, next to 0.
    lost : Tensor
        (m,) bool, whether the pair is still missed.
    """

    pairs: Tensor = field(default_factory=lambda: torch.empty((0, 2), dtype=torch.long))
    share: float = 0.0
    before: float = 0.0
    lost: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.lost = torch.ones(len(self.pairs), dtype=torch.bool)

    @property
    def still(self) -> Tensor:
        """(n, 2) long, those that are still missed."""
        return self.pairs[self.lost]

    def look_again(self, dices: Tensor) -> None:
        """Take in the Dice of each pair (m,) now."""
        self.lost = dices < FOUND

    def state_dict(self) -> State:
        """Return it as tensors, for a checkpoint."""
        numbers = torch.tensor([self.share, self.before], dtype=torch.float64)
        return {
            "missed.pairs": self.pairs,
            "missed.numbers": numbers,
            "missed.lost": self.lost,
        }

    @classmethod
    def from_state(cls, tensors: State) -> Missed:
        """Take it from a checkpoint's tensors; one of an earlier program has none."""
        if "missed.pairs" not in tensors:
            return cls()
        missed = cls(tensors["missed.pairs"], *tensors["missed.numbers"].tolist())
        missed.lost = tensors["missed.lost"]
        return missed


def missed_by(net: PromptNet, pool: Pool, wordings: Wordings, device: Device) -> Missed:
    """Find what a network misses of all that is labelled and not empty."""
    pairs = pool.pairs(Split.TRAIN)
    there = ~pool.empty[pool.rows[pairs[:, 0], pairs[:, 1]]]
    asked = Asked(pool, wordings, pairs[there], LIMIT)
    dices = asked.dices(net, device)
    lost = dices < LOST
    if not lost.any():
        return Missed()
    share, before = float(lost.double().mean()), float(dices[lost].mean())
    return Missed(asked.pairs[lost], share, before)


@dataclass(frozen=True, slots=True)
class Regained:
    """How a training did on what the version before it had missed.

    Attributes
    ----------
    images : frozenset of str
        Ids of the project's images that hold a missed pair.
    share : float
        Of all labelled pairs that show something.
    before, dice : float
        Mean Dice of the missed pairs, by the version before and by the new one.
    """

    images: frozenset[str]
    share: float
    before: float
    dice: float
