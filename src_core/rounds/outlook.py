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
        Images with a finished mask that it learned from; a volume is one.
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
        Measured, of a known number of images.
    curve : tuple of (float, Expected)
        Labelled images and expected Dice, from the first point to `MORE` beyond the
        last; empty while there are too few points.
    gain : Expected or None
        What `more` images are expected to add.
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
        So many images more.
    """
    cards = [
        card for card in list_models(project.models_dir) if "mean" in card.validation
    ]
    single = _one_picture_each(project)
    points = tuple(
        Point(card.version, count, card.validation["mean"])
        for card in cards
        if (count := _images_of(card, single=single)) is not None
    )
    best = _best(points)
    curve = LearningCurve.fit([p.labelled for p in best], [p.dice for p in best])
    minutes = _minutes(project, more)
    if curve is None:
        told = _too_few(len(cards), len(cards) - len(points))
        return Outlook(points, (), None, more, minutes, False, told)
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


def _one_picture_each(project: Project) -> bool:
    """Whether a training sees each image of a project once, if it cuts no tiles."""
    return not any("z" in i.axes or i.modality == "CT" for i in project.images())


def _images_of(card: ModelCard, *, single: bool) -> int | None:
    """Return how many images a version learned from; None where nobody knows."""
    if card.labelled_images is None and single and not card.settings.frame.tiles:
        return card.labelled
    return card.labelled_images


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


def _too_few(count: int, uncounted: int) -> str:
    """Say why nothing can be said, with so many measured and not to be placed."""
    if not count:
        return (
            "No model has been measured yet: label eight images of at least four "
            "patients, then train."
        )
    told = f"{count} model{'s' if count > 1 else ''} measured so far"
    if uncounted:
        told += f", {uncounted} of them from before the program counted whole images"
    return (
        f"{told}; after rounds with three different numbers of "
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
