"""The default: typical and diverse at first, uncertain and diverse later.

While labels are few a model's uncertainty says little, and a batch that covers the pool
teaches most (TypiClust). Once a target has been learned, the images of which the model
is unsure come first, of these the ones least like anything labelled: uncertainty alone
picks look-alikes and outliers, and did not beat chance where we measured it; followed
by k-centre it did.

- Each target has its own share of the picks, by what is left to gain for it and by how
  few labels it has, and its own moment of going over from the first way to the second.
- Where the model finds nothing, though nearly every finished image shows the target, it
  is not unsure, and may be blind: a kind of picture that it has not learned. One pick
  in five goes there while there are such images.
- What is quick to correct is preferred among equals, in the seconds that this project's
  own history lets one expect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from src_core.acquire.base import Goal, Pick, Pool, make_pick
from src_core.acquire.batch import Batch
from src_core.acquire.likeness import ranks
from src_core.acquire.typiclust import Groups
from src_core.acquire.uncertain import power_noise
from src_core.acquire.words import joined, likeness, where

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FEW, ENOUGH = 5, 20
"""Labelled images of a target: to the first the model is not trusted, from the second
on it is, between them by and by."""

POOR, GOOD = 0.3, 0.6
"""The same for the target's validation Dice, where it is known."""

OPINIONS = ("bald", "consistency", "entropy")
SHARE = 0.25
"""Of a target's candidates, the most uncertain, among which the farthest is taken."""

USUAL = 0.85
"""Share of images that show a target, by the finished ones, from which on it surprises
that the model finds nothing; reached with five finished that all show it."""

NOTHING = 0.05
"""Of what the model finds in most images where it finds some: next to nothing."""

CHECKED = 0.2
"""Of the picks, those that go where the model's silence surprises."""

EASE = 0.25
"""Weight of being quick to correct, where typical or far has 1."""


class Hybrid:
    """Typical and diverse, then uncertain and diverse; by target and by seconds."""

    name: ClassVar[str] = "hybrid"
    needs: ClassVar[str] = ""
    blind: ClassVar[bool] = False

    def pick(self, pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        """Return at most `count` picks."""
        batch, picks = Batch(pool), list[Pick]()
        order = self._order(pool, min(count, len(pool)))
        believed = {n: trust(pool, goal) for n, goal in enumerate(pool.goals)}
        trusted = [bool(rng.random() < believed[number]) for number in order]
        # Each way takes its time to prepare: only those that are gone.
        ways: dict[bool, _Typical | _Unsure] = {}
        odd = surprising(pool)
        for number, goes in zip(order, trusted, strict=True):
            if goes not in ways:
                ways[goes] = (
                    _Unsure(pool, count, rng)
                    if goes
                    else _Typical(pool, count, rng, odd)
                )
                for taken in batch.taken:
                    ways[goes].note(taken)
            wanted = batch.open(pool.goal == number)
            if (wanted & odd).any() and rng.random() < CHECKED:
                best = _most_typical(pool, wanted & odd)
                why = _why_surprising(pool, best)
            else:
                best = ways[goes].next(wanted)
                why = ways[goes].why(best)
            picks.append(make_pick(pool, best, 1.0 / (1 + len(picks)), why))
            batch.take(best)
            for way in ways.values():
                way.note(best)
        return picks

    @staticmethod
    def _order(pool: Pool, count: int) -> list[int]:
        """Return which target each pick is for.

        A target with a third of the need has a third of every run of picks; one that
        has no candidates left has none.
        """
        left = np.bincount(pool.goal, minlength=len(pool.goals))
        shares = np.array([need(goal) for goal in pool.goals])
        owed = np.zeros(len(shares))
        order: list[int] = []
        while len(order) < count:
            shares[left == 0] = 0.0
            owed += shares / shares.sum()
            best = int(np.argmax(np.where(left > 0, owed, -np.inf)))
            owed[best] -= 1.0
            left[best] -= 1
            order.append(best)
        return order


def need(goal: Goal) -> float:
    """Return what a label of the target is worth: what is left, by labels there are.

    Learning curves fall off as a power of the number of labels; the slope of one with
    what is left to gain r at n labels is about r / n.
    """
    left = 1.0 - goal.dice if goal.dice is not None else 0.5
    return max(left, 0.02) / (goal.finished + FEW)


def trust(pool: Pool, goal: Goal) -> float:
    """Return how far the model's uncertainty about a target is believed, 0 to 1."""
    if not any(pool.knows(opinion) for opinion in OPINIONS):
        return 0.0
    seen = (goal.finished - FEW) / (ENOUGH - FEW)
    good = 1.0 if goal.dice is None else (goal.dice - POOR) / (GOOD - POOR)
    return float(np.clip(seen, 0, 1) * np.clip(good, 0, 1))


def ease(pool: Pool) -> Floats:
    """(N,) from 0 to 1, higher for what is quicker to correct; 0 where unknown."""
    if pool.seconds is None:
        return np.zeros(len(pool), np.float32)
    return ranks(-np.nan_to_num(pool.seconds, nan=float(np.nanmedian(pool.seconds))))


def surprising(pool: Pool) -> NDArray[np.bool_]:
    """(N,) whether the model finds next to nothing of what nearly every image shows."""
    odd = np.zeros(len(pool), bool)
    if not pool.knows("foreground"):
        return odd
    found = pool.scores["foreground"]
    for number, goal in enumerate(pool.goals):
        mine = pool.goal == number
        usual = found[mine & (found > 0)]
        if goal.prevalence >= USUAL and len(usual):
            odd |= mine & (found <= NOTHING * np.median(usual))
    return odd


def _most_typical(pool: Pool, among: NDArray[np.bool_]) -> int:
    """Of those, one of a kind: what looks like nothing else may well be empty."""
    return int(np.argmax(np.where(among, pool.gallery.typicality[pool.image], -np.inf)))


def _why_surprising(pool: Pool, candidate: int) -> str:
    goal = pool.goals[pool.goal[candidate]]
    shown = f"{goal.finished - goal.absent} of {goal.finished} labelled images"
    said = f"the model finds next to nothing, though {shown} show the target"
    return joined(said, likeness(pool, candidate))


class _Typical:
    """The first way: the most typical of the largest bare group."""

    def __init__(
        self,
        pool: Pool,
        count: int,
        rng: np.random.Generator,
        odd: NDArray[np.bool_],
    ) -> None:
        self._pool = pool
        bonus = EASE * ease(pool)
        if pool.knows("foreground"):
            # An image without the target teaches less, and most of a pool may be so.
            found = np.nan_to_num(pool.scores["foreground"]) > 0
            bonus = bonus + (found | odd)
        self._groups = Groups(pool, count, rng, bonus)

    def next(self, wanted: NDArray[np.bool_]) -> int:
        return self._groups.next(wanted)

    def note(self, candidate: int) -> None:
        """Count a pick of either way among what covers the groups."""
        self._groups.cover(candidate)

    def why(self, candidate: int) -> str:
        return joined(self._groups.why(candidate), likeness(self._pool, candidate))


class _Unsure:
    """The second way: of the most uncertain, the one least like anything chosen."""

    def __init__(self, pool: Pool, count: int, rng: np.random.Generator) -> None:
        self._pool = pool
        self._far = pool.distance()
        self._ease = ease(pool)
        self._unsure = uncertainty(pool)
        self._keys = power_noise(self._unsure, rng)
        self._most = count

    def next(self, wanted: NDArray[np.bool_]) -> int:
        rows = np.flatnonzero(wanted)
        share = max(4 * self._most, round(SHARE * len(rows)))
        if len(rows) > share:
            rows = rows[np.argpartition(-self._keys[rows], share)[:share]]
        far = ranks(self._far[rows])
        return int(rows[np.argmax(far + EASE * self._ease[rows])])

    def note(self, candidate: int) -> None:
        """Count a pick of either way among what is chosen."""
        pool = self._pool
        near = pool.gallery.apart_from(int(pool.image[candidate]))
        self._far = np.minimum(self._far, near[pool.image])

    def why(self, candidate: int) -> str:
        pool = self._pool
        said = "the model is unsure"
        if pool.knows("bald"):
            said = f"{pool.voices} disagree"
        elif pool.knows("consistency"):
            said = "brightness and contrast change the answer"
        here = " ".join(filter(None, (said, where(pool, candidate))))
        return joined(here, likeness(pool, candidate))


def uncertainty(pool: Pool) -> Floats:
    """(N,) mean rank of the model's opinions within each target, 0 to 1."""
    if "unsure" in pool.scores:
        return np.nan_to_num(pool.scores["unsure"])
    total = np.zeros(len(pool), np.float32)
    for number in range(len(pool.goals)):
        mine = pool.goal == number
        told = {name: score[mine] for name, score in pool.scores.items()}
        total[mine] = mean_rank(told)
    return total


def mean_rank(scores: Mapping[str, Floats]) -> Floats:
    """Mean rank of the opinions about one target in n images: (n,), 0 to 1.

    Ranks, because the scores have different scales; within a target, because a small
    or ragged one is always less certain than a large smooth one.
    """
    known = [
        ranks(np.nan_to_num(scores[opinion]))
        for opinion in OPINIONS
        if opinion in scores and np.isfinite(scores[opinion]).any()
    ]
    if not known:
        return np.zeros(len(next(iter(scores.values()), ())), np.float32)
    return np.asarray(np.mean(known, axis=0), np.float32)
