"""The seam of a strategy: a pool of candidates in, picks with reasons out.

A pool is a handful of arrays and not a list of objects: at 100,000 images the next
pick must not be noticed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]

ALONE = -1
"""As a series: the image belongs to no stack of slices."""


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Every training image that is known well enough, as numbers; M of them.

    Attributes
    ----------
    ids, names : sequence of str
        Identifier, and what the image is called before a person.
    group : ndarray
        (M,) images of one patient share a number.
    series, place : ndarray
        (M,) the stack of slices that an image was cut from (`ALONE` for none), and
        where in it the image lies.
    twin : ndarray
        (M,) images that look the same share a number.
    features : ndarray
        (M, D) float32; near means alike.
    typicality : ndarray
        (M,) float32, 0 to 1: how many others look like it, as a rank.
    lengths : ndarray
        (M,) squared lengths of the features: every distance needs them.
    """

    ids: Sequence[str]
    names: Sequence[str]
    group: Rows
    series: Rows
    place: Rows
    twin: Rows
    features: Floats
    typicality: Floats
    lengths: Floats = field(init=False)

    def __post_init__(self) -> None:
        lengths = np.einsum("md,md->m", self.features, self.features)
        object.__setattr__(self, "lengths", lengths)

    def __len__(self) -> int:
        return len(self.ids)

    def apart_from(self, row: int) -> Floats:
        """(M,) distance of every image to the one at `row`."""
        squares = self.lengths + self.lengths[row]
        squares -= 2.0 * (self.features @ self.features[row])
        # A product of matrices leaves a rest where the very same point must give 0.
        squares[row] = 0.0
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """One target as the choice sees it.

    Attributes
    ----------
    id, name : str
        Empty where the project has no target yet.
    labelled : ndarray
        (n,) rows of the gallery that are finished for it.
    finished : int
        Images finished for it, those that nothing has looked at yet among them.
    nearest : ndarray
        (M,) float32, distance of each image to the nearest finished one; inf where
        there is none.
    nearest_row : ndarray
        (M,) that image's row; -1 where there is none.
    dice : float or None
        On the validation split; None where it was not measured.
    absent : int
        How many of the finished ones do not show it.
    """

    id: str
    name: str
    labelled: Rows
    finished: int
    nearest: Floats
    nearest_row: Rows
    dice: float | None = None
    absent: int = 0

    @property
    def prevalence(self) -> float:
        """Share of images that show it, by the finished ones (Laplace's rule)."""
        return (self.finished - self.absent + 1) / (self.finished + 2)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """N candidates: each an image and a target that nobody has finished in it.

    Attributes
    ----------
    gallery : Gallery
        The images.
    goals : tuple of Goal
        The targets.
    image, goal : ndarray
        (N,) row of the gallery, and number of the goal.
    scores : mapping of str to ndarray
        (N,) float32 each, what the model says; see :data:`src_core.acquire.SCORES`.
        Empty before there is a model.
    seconds : ndarray or None
        (N,) float32, predicted time of a correction; None before any is known.
    voices : str
        Whose opinions ``bald`` compares, in words: ``"the two decoders"``.
    """

    gallery: Gallery
    goals: tuple[Goal, ...]
    image: Rows
    goal: Rows
    scores: Mapping[str, Floats] = field(default_factory=dict)
    seconds: Floats | None = None
    voices: str = "the two decoders"

    def __len__(self) -> int:
        return len(self.image)

    @property
    def group(self) -> Rows:
        """(N,) the candidates' patients."""
        return self.gallery.group[self.image]

    def knows(self, score: str) -> bool:
        """Whether the model said anything of this kind about any candidate."""
        return score in self.scores and bool(np.isfinite(self.scores[score]).any())

    def distance(self) -> Floats:
        """(N,) of each candidate's image to the nearest finished for its target."""
        found = np.full(len(self), np.inf, np.float32)
        for number, goal in enumerate(self.goals):
            mine = self.goal == number
            found[mine] = goal.nearest[self.image[mine]]
        return found

    def keep(self, wanted: NDArray[np.bool_]) -> Pool:
        """Return the pool with only those candidates where `wanted` (N,) holds."""
        return replace(
            self,
            image=self.image[wanted],
            goal=self.goal[wanted],
            scores={name: score[wanted] for name, score in self.scores.items()},
            seconds=None if self.seconds is None else self.seconds[wanted],
        )


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
    seconds : float or None
        How long the correction is expected to take; None before it can be known.
    """

    image: str
    target: str
    score: float
    reason: str
    seconds: float | None = None


class Strategy(Protocol):
    """Chooses what to label next.

    Attributes
    ----------
    name : str
        Its row in the table.
    needs : str
        The model's score that it ranks by; empty where it can do without a model.
    blind : bool
        Whether it picks from images that nothing has looked at yet.
    """

    name: ClassVar[str]
    needs: ClassVar[str]
    blind: ClassVar[bool]

    def pick(self, pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        """Return at most `count` picks, best first, none twice."""
        ...


def make_pick(pool: Pool, candidate: int, score: float, reason: str) -> Pick:
    """Return a candidate as a pick."""
    seconds = None if pool.seconds is None else float(pool.seconds[candidate])
    return Pick(
        pool.gallery.ids[pool.image[candidate]],
        pool.goals[pool.goal[candidate]].id,
        float(score),
        reason,
        None if seconds is None or np.isnan(seconds) else seconds,
    )
