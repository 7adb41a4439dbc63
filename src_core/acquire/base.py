"""The seam of a strategy: candidates in, picks with reasons out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


@dataclass(frozen=True, slots=True)
class Candidate:
    """One image and target without truth, and what the model says of it.

    Attributes
    ----------
    image, target : str
        Ids.
    group : str
        The patient; picks are spread over groups.
    entropy : float or None
        Mean binary entropy over the pixels near the predicted target, in bits; None
        where no model was asked.
    foreground : float or None
        Share of the picture that the model takes for the target.
    """

    image: str
    target: str
    group: str
    entropy: float | None = None
    foreground: float | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """An image to label next, and why.

    Attributes
    ----------
    image, target : str
        Ids.
    score : float
        Higher is more wanted; comparable within one list of picks only.
    reason : str
        A sentence for the person who will label it.
    """

    image: str
    target: str
    score: float
    reason: str


class Strategy(Protocol):
    """Chooses what to label next.

    Attributes
    ----------
    name : str
        Its row in the table.
    asks_model : bool
        Whether candidates must carry the model's opinion.
    """

    name: ClassVar[str]
    asks_model: ClassVar[bool]

    def pick(
        self, candidates: Sequence[Candidate], count: int, rng: np.random.Generator
    ) -> list[Pick]:
        """Return at most `count` picks, best first, none twice."""
        ...


def spread(ranked: Sequence[tuple[Candidate, Pick]], count: int) -> list[Pick]:
    """Take the best of each group first, then the second best of each, and so on.

    Five images of one patient teach less than one of each of five.
    """
    turns: dict[str, int] = {}
    rows = []
    for rank, (candidate, pick) in enumerate(ranked):
        group = candidate.group or candidate.image
        turn = turns.get(group, 0)
        turns[group] = turn + 1
        rows.append((turn, rank, pick))
    rows.sort(key=lambda row: row[:2])
    return [pick for _, _, pick in rows[:count]]
