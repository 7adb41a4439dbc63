"""Picks from a project, and what is remembered between picks."""

from __future__ import annotations

import dataclasses
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from src_core.acquire import Pick, Pool, strategy
from src_core.acquire.base import make_pick
from src_core.acquire.cost import CostModel
from src_core.acquire.words import NO_MODEL
from src_core.rounds.kinds import Homes
from src_core.rounds.promotion import deployed_card, promoted
from src_core.rounds.standing import Standing, finished_images
from src_core.rounds.stock import Stock, everything, looked_at, read_shelves, stamp_of
from src_core.rounds.survey import (
    Coverage,
    Limits,
    looks_shelf,
    survey_shelf,
    take_in_looks,
    take_survey,
    training_images,
)
from src_core.rounds.wishes import Wish, WishKind, wishes
from src_core.types import MaskStatus, Target

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from src_core.acquire.base import Strategy
    from src_core.checkpoints import ModelCard
    from src_core.predict import Predictor
    from src_core.store import Project
    from src_core.store.rows import Effort
    from src_core.types import Image

    Rows = NDArray[np.int64]

Load = Callable[[], "Predictor"]

PINNED: Final = 1e9
"""Score of what a person pinned."""

GROWTH: Final = 1.1
"""A survey under way is taken in when it knows so many times as many images."""

NOT_ASKED: Final = "the model was not asked about these yet"

WISH_VERBS: Final = frozenset({"skip", "pin", "unwish"})

SILENT: Final = {
    "bald": "the model has one opinion only: a second decoder is missing or has not "
    "learned yet"
}
"""Why a model that has looked at the pool may still say nothing of a kind."""


class Chooser:
    """Picks from one project, and remembers between picks what takes long to gather.

    A saved mask moves one row; only new images, another target or another model make it
    begin anew. Safe to use from several threads, which wait for one another.

    Parameters
    ----------
    project : Project
        Open; its position may move on.
    """

    def __init__(self, project: Project) -> None:
        # Weakly: it lies in a table that must not keep its project open.
        self._project_of = weakref.ref(project)
        self._guard = threading.RLock()
        self._position = -1
        self._card: ModelCard | None = None
        self._stamp: tuple[str, ...] = ()
        self._failed = {"looks": 0, "survey": 0}
        self._wishes: list[Wish] = []

    # -------------------------------------------------------------------- looking
    def catch_up(self) -> Coverage:
        """Take in what changed; return how many training images are known.

        To the model, or by their looks where there is none. The next pick is then
        immediate.
        """
        with self._guard:
            self._refresh()
            return Coverage(len(self._stock.gallery), len(self._images))

    def look(
        self,
        predictor: Predictor | Load | None,
        looks: Limits,
        survey: Limits,
    ) -> None:
        """Look at images that are not known yet.

        Parameters
        ----------
        predictor : Predictor, callable or None
            The model, or how to load it.
        looks, survey : Limits
            How far to go by the looks; by the model, with `images` the number of open
            ones that are to be known in the end.
        """
        with self._guard:
            self._refresh()
            project, total = self._project, len(self._images)
            if self._seen["looks"] + self._failed["looks"] < self._pictures:
                known = take_in_looks(project, looks)
                self._failed["looks"] = known.failed
            left = total - self._seen["survey"] - self._failed["survey"]
            if survey.images is not None:
                # Each with a finished one, to hold it against.
                left = min(left, 2 * (survey.images - self._offered()))
            if predictor is None or left <= 0:
                return
            model = predictor() if callable(predictor) else predictor
            limits = dataclasses.replace(survey, images=left)
            self._failed["survey"] = take_survey(project, model, limits).failed

    def _offered(self) -> int:
        """Return how many images that the model was asked about may be picked."""
        if not self._seen["survey"]:
            return 0
        return int(self._open(self._stock, self._standing).any(axis=1).sum())

    def _open(self, stock: Stock, standing: Standing) -> NDArray[np.bool_]:
        """(M, T) which targets are still to be labelled, on images of their kind."""
        fits = self._homes.fitting(stock.kinds, self._targets)[stock.kind]
        return standing.open & fits

    # ------------------------------------------------------------------- choosing
    def pick(
        self,
        count: int,
        chosen: Strategy,
        *,
        targets: Collection[str] = (),
        seed: int = 0,
    ) -> list[Pick]:
        """Return at most `count` picks: what is pinned, then what the strategy says.

        Parameters as of :func:`next_picks`; nothing is looked at here.
        """
        with self._guard:
            self._refresh()
            rng = np.random.default_rng([seed, self._position])
            partial = len(self._stock.gallery) < len(self._images)
            blind = chosen.blind and partial
            pool, pins = whole, pinned = self._pool(targets, blind=blind)
            if partial and not blind and (self._wishes or not len(pool)):
                whole, pinned = self._pool(targets, blind=True)
            first = [
                make_pick(whole, candidate, PINNED, reason)
                for candidate, reason in pinned.items()
            ][:count]
            why = self._lacks(chosen, pool)
            if not len(pool):
                # None of those that are known is open; what is not known may well be.
                pool, pins, why = whole, pinned, NOT_ASKED
            left = np.ones(len(pool), bool)
            left[list(pins)] = False
            rest = pool.keep(left) if pins else pool
            if count <= len(first) or not len(rest):
                return first
            able = strategy("random") if why else chosen
            why = NO_MODEL if self._card is None else why
            return first + [
                dataclasses.replace(pick, reason=f"{pick.reason} ({why})")
                if why
                else pick
                for pick in able.pick(rest, count - len(first), rng)
            ]

    def _lacks(self, chosen: Strategy, pool: Pool) -> str:
        """Say what a strategy needs and nobody knows of the pool; empty for nothing."""
        if not chosen.needs or pool.knows(chosen.needs):
            return ""
        return SILENT.get(chosen.needs, NOT_ASKED)

    def _pool(
        self, targets: Collection[str], *, blind: bool
    ) -> tuple[Pool, dict[int, str]]:
        """Return the candidates, and those of them that are pinned with the reason.

        Blindly: of all images, whether anything is known of them or not.
        """
        stock, standing = self._unseen() if blind else (self._stock, self._standing)
        offered, pinned = self._open(stock, standing), dict[tuple[int, int], str]()
        numbers = {goal.id: number for number, goal in enumerate(standing.goals)}
        # What is wished for all targets first: a wish for one of them goes above it.
        for wish in sorted(self._wishes, key=lambda wish: wish.target):
            row = stock.row.get(wish.image)
            if row is None or (wish.target and wish.target not in numbers):
                continue
            for t in [numbers[wish.target]] if wish.target else numbers.values():
                offered[row, t] = standing.open[row, t] and wish.kind is WishKind.PIN
                pinned.pop((row, t), None)
                if wish.kind is WishKind.PIN:
                    said = f": {wish.reason}" if wish.reason else ""
                    pinned[row, t] = f"pinned by {wish.who}{said}"
        if targets:
            unwanted = [t for name, t in numbers.items() if name not in targets]
            offered[:, unwanted] = False
        image, goal = np.nonzero(offered)
        pool = Pool(
            stock.gallery,
            tuple(standing.goals),
            image,
            goal,
            {name: score[image, goal] for name, score in stock.scores.items()},
            self._seconds(stock, image, goal),
            stock.voices,
        )
        number = offered.cumsum().reshape(offered.shape) - 1
        pins = {int(number[at]): why for at, why in pinned.items() if offered[at]}
        return pool, pins

    def _seconds(
        self, stock: Stock, image: Rows, goal: Rows
    ) -> NDArray[np.float32] | None:
        """Return what each candidate is expected to cost, where that can be known."""
        if self._costs is None:
            return None
        if stock.traits is None:
            return self._costs.predict(goal, np.full((len(image), 2), np.nan))
        return self._costs.predict(goal, stock.traits[image, goal])

    # -------------------------------------------------------------- keeping up
    @property
    def _project(self) -> Project:
        project = self._project_of()
        assert project is not None, "whoever asks holds the project"
        return project

    def _refresh(self) -> None:
        """Take in what has changed since the last pick."""
        project = self._project
        position, version = project.position, promoted(project)
        known = self._card.version if self._card else None
        if self._position >= 0 and version == known and self._keeps_up(position):
            return
        self._rebuild(project, version)
        self._position = position

    def _keeps_up(self, position: int) -> bool:
        """Take in saved masks and wishes; False where more than these has changed."""
        project = self._project
        if self._stamp != stamp_of(project, self._card) and self._has_grown():
            return False
        if position == self._position:
            return True
        wished = False
        for verb, image, target in project.changed(self._position):
            if image is not None and target is not None:
                mask = project.mask(image, target)
                finished = mask is not None and mask.status.is_truth
                there = mask is not None and mask.status is not MaskStatus.EMPTY
                if mask is not None and mask.status is MaskStatus.DONE:
                    self._homes.draw(image, target)
                for standing in self._standings.values() if image in self._ids else ():
                    standing.update(image, target, finished=finished, there=there)
            elif verb in WISH_VERBS:
                wished = True
            elif verb != "promote":
                return False
        if wished:
            self._wishes = wishes(project)
        efforts = project.efforts(self._position)
        if efforts:
            self._efforts += efforts
            self._costs = self._learn_costs()
        self._position = position
        return True

    def _has_grown(self) -> bool:
        """Whether enough more has been looked at to take it in.

        While the worker goes through a large pool there is a new part every few
        seconds, and taking in all parts anew takes seconds too.
        """
        project = self._project
        shelf = looks_shelf(project)
        if self._card is not None:
            shelf = survey_shelf(project, self._card)
        known, now = len(self._stock.gallery), shelf.count()
        return now >= min(GROWTH * known, len(self._images)) or now < known

    def _rebuild(self, project: Project, version: str | None) -> None:
        self._card = deployed_card(project, version) if version else None
        shelves = read_shelves(project, self._card)
        self._stamp = shelves.stamp
        self._images: list[Image] = training_images(project)
        self._targets = project.targets() or [Target("", "")]
        names = [target.id for target in self._targets]
        self._stock: Stock = looked_at(self._images, names, shelves)
        self._ids = {image.id for image in self._images}
        self._pictures = len(project.images())
        self._seen = {
            "looks": len(shelves.looks.ids),
            "survey": len(self._ids.intersection(shelves.survey.ids)),
        }
        self._homes = Homes(project)
        self._standings = {True: self._stands(self._stock, measured=True)}
        self._blind: Stock | None = None
        self._wishes = wishes(project)
        self._efforts: list[Effort] = project.efforts()
        self._costs = self._learn_costs()

    @property
    def _standing(self) -> Standing:
        return self._standings[True]

    def _unseen(self) -> tuple[Stock, Standing]:
        """Return all images, known or not, for who picks blindly."""
        if self._blind is None:
            self._blind = everything(self._images)
            self._standings[False] = self._stands(self._blind, measured=False)
        return self._blind, self._standings[False]

    def _stands(self, stock: Stock, *, measured: bool) -> Standing:
        dices, wanted = self._card.validation if self._card else {}, self._ids
        done = {
            target: {image: there for image, there in images.items() if image in wanted}
            for target, images in finished_images(self._project).items()
        }
        return Standing(stock, self._targets, done, dices, measured=measured)

    def _learn_costs(self) -> CostModel | None:
        number = {target.id: n for n, target in enumerate(self._targets)}
        efforts = [effort for effort in self._efforts if effort.target in number]
        traits = np.full((len(efforts), 2), np.nan, np.float32)
        for n, effort in enumerate(efforts):
            row = self._stock.row.get(effort.image)
            if row is not None and self._stock.traits is not None:
                traits[n] = self._stock.traits[row, number[effort.target]]
        return CostModel.fit(
            np.array([number[effort.target] for effort in efforts], np.int64),
            traits,
            np.array([effort.seconds for effort in efforts]),
            len(self._targets),
        )
