"""How far labelling has got, kept up to date mask by mask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from src_core.acquire import Goal
from src_core.acquire.likeness import apart, nearest_of
from src_core.types import MaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from src_core.rounds.stock import Stock
    from src_core.store import Project
    from src_core.types import Target


def finished_images(project: Project) -> dict[str, dict[str, bool]]:
    """Return target id -> id of each image finished for it -> whether it is there."""
    done: dict[str, dict[str, bool]] = {}
    for mask in project.masks():
        if mask.status is not None and mask.status.is_truth:
            there = mask.status is not MaskStatus.EMPTY
            done.setdefault(mask.target, {})[mask.image] = there
    return done


class Standing:
    """Which images of a stock are finished for which target.

    Parameters
    ----------
    stock : Stock
        The images.
    targets : sequence of Target
        T targets; the nameless one where the project has none yet.
    done : mapping of str to mapping of str to bool
        Target id to id of each finished training image to whether it is there, whether
        it is in the stock or not.
    dices : mapping of str to float
        Target id to validation Dice, where it is known.
    measured : bool
        Whether the distances to what is finished are wanted.

    Attributes
    ----------
    open : ndarray
        (M, T) bool: whether the target is still to be labelled in the image.
    goals : list of Goal
        (T,).
    """

    def __init__(
        self,
        stock: Stock,
        targets: Sequence[Target],
        done: Mapping[str, Mapping[str, bool]],
        dices: Mapping[str, float],
        *,
        measured: bool,
    ) -> None:
        self._stock, self._measured = stock, measured
        self._number = {target.id: number for number, target in enumerate(targets)}
        self.open: NDArray[np.bool_] = np.ones((len(stock.gallery), len(targets)), bool)
        self.goals: list[Goal] = []
        self._finished = [dict(done.get(target.id, {})) for target in targets]
        for number, target in enumerate(targets):
            finished = self._finished[number]
            rows = self._rows(finished)
            self.open[rows, number] = False
            self.goals.append(
                Goal(
                    target.id,
                    target.name,
                    rows,
                    len(finished),
                    *self._near(rows),
                    dices.get(target.id),
                    _absent(finished),
                )
            )

    def update(self, image: str, target: str, *, finished: bool, there: bool) -> None:
        """Take in that one mask was finished, or is so no longer, and what it shows."""
        number = self._number.get(target)
        if number is None:
            return
        known = self._finished[number]
        known.pop(image, None)
        if finished:
            known[image] = there
        goal = self.goals[number] = replace(
            self.goals[number], finished=len(known), absent=_absent(known)
        )
        row = self._stock.row.get(image)
        if row is None or self.open[row, number] != finished:
            return
        self.open[row, number] = not finished
        if not finished:
            rows = goal.labelled[goal.labelled != row]
            near, which = self._near(rows)
        else:
            rows = np.append(goal.labelled, row)
            near, which = goal.nearest, goal.nearest_row
            if self._measured:
                features = self._stock.gallery.features
                far = apart(features, features[row])
                closer = far < near
                near = np.where(closer, far, near)
                which = np.where(closer, row, which)
        self.goals[number] = replace(
            goal, labelled=rows, nearest=near, nearest_row=which
        )

    def _rows(self, images: Iterable[str]) -> NDArray[np.int64]:
        row = self._stock.row
        found = sorted(row[image] for image in images if image in row)
        return np.array(found, np.int64)

    def _near(
        self, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        features = self._stock.gallery.features
        return nearest_of(features, rows if self._measured else rows[:0])


def _absent(finished: Mapping[str, bool]) -> int:
    return sum(not there for there in finished.values())
