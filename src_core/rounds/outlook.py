"""Is it worth going on? The learning curve so far, and where it leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from src_core.acquire.curve import Expected, LearningCurve
from src_core.checkpoints import list_models

if TYPE_CHECKING:
    from src_core.checkpoints import ModelCard
    from src_core.store import Project

MORE: Final = 30
AHEAD: Final = 40
ENOUGH: Final = 0.9
"""So sure must it be that more images add next to nothing, to say so."""


@dataclass(frozen=True, slots=True)
class Point:
    """One model version on the learning curve.

    Attributes
    ----------
    version : str
    labelled : int
        Pictures with a finished mask that it learned from; of a volume, slices.
    dice : float
        On the validation split, mean over targets.
    """

    version: str
    labelled: int
    dice: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """The learning curve of a project.

    Attributes
    ----------
    points : tuple of Point
        Measured.
    curve : tuple of (float, Expected)
        Labelled pictures and expected Dice, from the first point to `MORE` beyond the
        last; empty while there are too few points.
    gain : Expected or None
        What `more` pictures are expected to add.
    more : int
        That many.
    minutes : float or None
        What they are expected to cost, by the median of what was spent so far.
    enough : bool
        Whether going on is all but sure to add less than half a Dice point.
    sentence : str
        All of this in words.
    """

    points: tuple[Point, ...]
    curve: tuple[tuple[float, Expected], ...]
    gain: Expected | None
    more: int
    minutes: float | None
    enough: bool
    sentence: str


def outlook(project: Project, more: int = MORE) -> Outlook:
    """Return what more labels are expected to bring.

    Parameters
    ----------
    project : Project
        Any.
    more : int
        So many pictures more.
    """
    cards = [
        card for card in list_models(project.models_dir) if "mean" in card.validation
    ]
    points = tuple(
        Point(card.version, card.labelled, card.validation["mean"]) for card in cards
    )
    best = _best(points)
    curve = LearningCurve.fit([p.labelled for p in best], [p.dice for p in best])
    minutes = _minutes(project, more)
    if curve is None:
        return Outlook(points, (), None, more, minutes, False, _too_few(cards))
    now = max(point.labelled for point in best)
    gain = curve.gain(now, more)
    enough = curve.enough(now, step=more) >= ENOUGH
    counts = np.linspace(min(p.labelled for p in best), now + more, AHEAD)
    return Outlook(
        points,
        tuple((float(n), curve.at(float(n))) for n in counts),
        gain,
        more,
        minutes,
        enough,
        _says(gain, more, minutes, enough),
    )


def _best(points: tuple[Point, ...]) -> list[Point]:
    """Keep the best version of each number of labels: a short round is no regress."""
    best: dict[int, Point] = {}
    for point in points:
        if point.labelled > 0 and (
            point.labelled not in best or point.dice > best[point.labelled].dice
        ):
            best[point.labelled] = point
    return [best[labelled] for labelled in sorted(best)]


def _minutes(project: Project, more: int) -> float | None:
    seconds = [effort.seconds for effort in project.efforts()]
    return more * float(np.median(seconds)) / 60 if seconds else None


def _too_few(cards: list[ModelCard]) -> str:
    if not cards:
        return (
            "No model has been measured yet: label eight images of at least four "
            "patients, then train."
        )
    told = f"{len(cards)} model{'s' if len(cards) > 1 else ''}"
    return (
        f"{told} measured so far; after rounds with three different numbers of "
        "labelled images it can be said where the curve leads."
    )


def _says(gain: Expected, more: int, minutes: float | None, enough: bool) -> str:
    mean, low, high = (100 * value for value in (gain.mean, gain.low, gain.high))
    cost = f", for about {minutes:.0f} minutes of work" if minutes is not None else ""
    sentence = (
        f"{more} more images are expected to add {mean:.1f} Dice "
        f"({low:.1f} to {high:.1f}){cost}"
    )
    if enough:
        return f"{sentence}: labelling more of the same hardly pays."
    return f"{sentence}."
