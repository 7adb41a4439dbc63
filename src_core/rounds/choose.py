"""The next image to label: what is known of the pool, and a strategy that picks."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Final

from src_core.acquire import DEFAULT, Pick, strategy
from src_core.rounds.chooser import Chooser
from src_core.rounds.survey import Limits

if TYPE_CHECKING:
    from collections.abc import Collection

    from src_core.predict import Predictor
    from src_core.rounds.chooser import Load
    from src_core.store import Project

WAITING: Final = (Limits(seconds=1.0), Limits(images=60, seconds=2.0))
"""What may be looked at while a person waits for the next image: pictures by their
looks, and by the model until so many open ones are known. The worker looks at the
rest."""

_CHOOSERS: weakref.WeakKeyDictionary[Project, Chooser] = weakref.WeakKeyDictionary()


def next_picks(
    project: Project,
    predictor: Predictor | Load | None,
    count: int,
    name: str | None = None,
    *,
    targets: Collection[str] = (),
    seed: int = 0,
    waiting: tuple[Limits, Limits] = WAITING,
) -> list[Pick]:
    """Return what to label next.

    Where the worker has not looked at the pool yet, a part of it is looked at first;
    what is learned so is kept.

    Parameters
    ----------
    project : Project
        Its images, truths and cache.
    predictor : Predictor, callable or None
        The model that answers, or how to load it where it is needed; None before there
        is one: then strategies that ask a model fall back on chance, and say so.
    count : int
        At most so many picks.
    name : str, optional
        The strategy; the default one if not given.
    targets : collection of str, optional
        Ids of the targets to pick for; all of them if not given.
    seed : int
        Of the drawing; the same project state and seed give the same picks.
    waiting : (Limits, Limits)
        How far to look at pictures by themselves and by the model, before picking.

    Raises
    ------
    BadInputError
        If there is no such strategy.
    """
    chooser, chosen = chooser_of(project), strategy(name or DEFAULT)
    if not chosen.blind:
        chooser.look(predictor, *waiting)
    return chooser.pick(count, chosen, targets=targets, seed=seed)


def chooser_of(project: Project) -> Chooser:
    """Return the chooser of an open project: one, for as long as that is open."""
    if project not in _CHOOSERS:
        _CHOOSERS[project] = Chooser(project)
    return _CHOOSERS[project]
