"""The next image to label, and why that one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lgssl_napari.lanes import Lane
from lgssl_napari.state import Level
from src_core.types import MaskStatus, Split

if TYPE_CHECKING:
    from lgssl_napari.asking import Asking
    from lgssl_napari.desk import Desk
    from lgssl_napari.models import Answers
    from lgssl_napari.opening import Opening
    from src_core.acquire import Pick

AHEAD = 12
"""Picks drawn at once: asking the model about every candidate takes seconds."""


class Choosing:
    """A short queue of images to label.

    Parameters
    ----------
    desk : Desk
        Shared state.
    opening : Opening
        Opens the image.
    asking : Asking
        Asks for the target that was picked.
    answers : Answers
        Picks with a model or without.
    """

    def __init__(
        self,
        desk: Desk,
        opening: Opening,
        asking: Asking,
        answers: Answers,
    ) -> None:
        self._desk, self._opening, self._asking = desk, opening, asking
        self._answers = answers
        self._queue: list[Pick] = []
        self._seen: set[tuple[str, str]] = set()
        self._ticket = 0

    def reset(self) -> None:
        """Forget the queue: another project, or another model."""
        self._queue.clear()
        self._seen.clear()

    def draw_anew(self) -> None:
        """Forget what was drawn ahead of a part of the pool; what was seen stays so."""
        self._queue.clear()

    def withdraw(self) -> None:
        """Open nothing of what is being chosen: the person goes somewhere else."""
        self._ticket += 1

    def begin(self) -> None:
        """Open a first image without asking any model: one that nobody has labelled."""
        state = self._desk.state
        if state.project is None or not state.project.images:
            return
        untouched = state.project.first
        train = (row.id for row in state.project.images if row.split is Split.TRAIN)
        first = untouched or next(train, state.project.images[0].id)
        reason = "nobody has labelled it yet" if untouched else ""
        self._opening.open(first, reason=reason, then=self._asking.follow)

    def next(self) -> None:
        """Open the image that teaches the model most."""
        desk, project = self._desk, self._desk.project
        if project is None or desk.state.project is None:
            return
        self._seen.add(self._at_hand())
        pick = self._take()
        if pick is not None:
            self._show(pick)
            return
        version, count = desk.state.project.version, AHEAD + len(self._seen)
        self._ticket += 1
        ticket = self._ticket

        def work() -> tuple[list[Pick], str]:
            from src_core.rounds.left import why_none

            picks = self._answers.picks(project, version, count)
            return picks, "" if picks else why_none(project)

        def done(found: tuple[list[Pick], str]) -> None:
            picks, why = found
            shown = desk.state.project
            # Not drawn ahead of a model that no longer answers.
            is_newest = shown is not None and shown.version == version
            is_wanted = ticket == self._ticket
            if is_newest:
                self._queue = list(picks)
            elif is_wanted:
                self._queue = list(picks[:1])
            if not is_wanted:
                return
            pick = self._take()
            if pick is None and picks:  # all were skipped once: begin again
                self._seen = {self._at_hand()}
                self._queue = list(picks)
                pick = self._take() or picks[0]
            if pick is None:
                desk.say(why)
            else:
                self._show(pick)

        desk.run(
            work,
            done,
            lane=Lane.MODEL,
            busy="Choosing the next image",
        )

    def step(self, by: int) -> None:
        """Open the image before or after in the list."""
        state = self._desk.state
        if state.project is None or not state.project.images:
            return
        position = state.work.position + by
        if not 0 <= position < len(state.project.images):
            end = "last" if by > 0 else "first"
            self._desk.say(f"This is the {end} image.", Level.INFO)
            return
        row = state.project.images[position]
        self._opening.open(row.id, then=self._asking.follow)

    def _at_hand(self) -> tuple[str, str]:
        work = self._desk.state.work
        return (
            work.image.id if work.image else "",
            work.target.id if work.target else "",
        )

    def _take(self) -> Pick | None:
        project = self._desk.state.project
        statuses = project.statuses if project else {}
        while self._queue:
            pick = self._queue.pop(0)
            key = self._wanted(pick)
            status = statuses.get(key, MaskStatus.UNLABELLED)
            if key not in self._seen and not status.is_truth:
                return pick
        return None

    def _wanted(self, pick: Pick) -> tuple[str, str]:
        """Return image and target to open.

        Drawn by chance, without a model, the target at hand is as good as any; to go
        on with it spares the person from turning round at each image.
        """
        project, (_, at_hand) = self._desk.state.project, self._at_hand()
        has_model = project is not None and project.version is not None
        return pick.image, pick.target if has_model else at_hand or pick.target

    def _show(self, pick: Pick) -> None:
        image, target = self._wanted(pick)
        self._opening.open(image, target, why(pick), self._asking.follow)


def why(pick: Pick) -> str:
    """Return a pick's reason, with the time that it is expected to take."""
    if pick.seconds is None:
        return pick.reason
    return f"{pick.reason} (about {max(1, round(pick.seconds))} s of work)"
