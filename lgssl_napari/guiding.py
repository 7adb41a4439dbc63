"""Where to look in an image, whether it is wanted, and what stands out in the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lgssl_napari.guide import MOST, Guide, Named
from lgssl_napari.lanes import Lane
from lgssl_napari.opened import opened
from lgssl_napari.state import Choice, Level

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lgssl_napari.annotating import Annotating
    from lgssl_napari.choosing import Choosing
    from lgssl_napari.desk import Desk
    from lgssl_napari.guide import Where
    from lgssl_napari.models import Answers
    from src_core.rounds.grouping import LookAlikes
    from src_core.store import Project


TOLD = 3
"""Names of pictures that are nearly the same, before the rest is counted."""


class Guiding:
    """Helps to choose.

    Parameters
    ----------
    desk : Desk
        Shared state.
    annotating : Annotating
        Says when another mask is at hand.
    choosing : Choosing
        Draws anew when wishes changed.
    answers : Answers
        Asks the model.
    """

    def __init__(
        self,
        desk: Desk,
        annotating: Annotating,
        choosing: Choosing,
        answers: Answers,
    ) -> None:
        self._desk, self._choosing, self._answers = desk, choosing, answers
        annotating.settled.connect(self.hide_where)

    # -------------------------------------------------------------- this image
    def show_where(self) -> None:
        """Show where the model's opinions about the target at hand part."""
        desk, work = self._desk, self._desk.state.work
        project, version = desk.project, self._version()
        if project is None or work.image is None or work.target is None:
            desk.say("Open an image and say which target first.", Level.WARNING)
            return
        if version is None:
            desk.say("There is no model yet whose opinions could part.")
            return
        image, target = work.image.id, work.target.id

        def done(found: Where) -> None:
            now = desk.state.work
            here = (now.image and now.image.id, now.target and now.target.id)
            if here == (image, target):
                desk.canvas.show_disagreement(found.heat, found.plane)
                desk.update_work(where=found.sentence)

        desk.run(
            lambda: self._answers.where(project, version, image, target),
            done,
            lane=Lane.MODEL,
            busy="Asking where opinions part",
        )

    def hide_where(self) -> None:
        """Hide it."""
        if self._desk.state.work.where:
            self._desk.canvas.show_disagreement(None)
            self._desk.update_work(where="")

    def skip(self, reason: str, then: Callable[[], None]) -> None:
        """Never offer the image at hand again, and go on."""
        from src_core.rounds.wishes import skip

        def work(project: Project, image: str) -> None:
            skip(project, image, reason, who=self._desk.who or project.who)

        self._wish(work, "is not offered any more", then)

    def pin(self, reason: str = "") -> None:
        """Offer the image at hand before all others until it is finished."""
        from src_core.rounds.wishes import pin

        def work(project: Project, image: str) -> None:
            pin(project, image, reason, who=self._desk.who or project.who)

        self._wish(work, "is offered before all others until it is finished")

    def _wish(
        self,
        wish: Callable[[Project, str], None],
        said: str,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        desk, project = self._desk, self._desk.project
        image = desk.state.work.image
        if project is None or image is None:
            return
        if project.read_only:
            desk.say("The project is open for reading only.", Level.WARNING)
            return

        def done(_: None) -> None:
            self._choosing.reset()
            then()
            desk.say(
                f"'{image.name}' {said}.",
                remedy=Choice("Take it back", lambda: self._forget(image.id)),
            )

        desk.run(lambda: wish(project, image.id), done)

    def _forget(self, image: str) -> None:
        from src_core.rounds.wishes import forget

        project = self._desk.project
        if project is None:
            return

        def done(_: object) -> None:
            self._choosing.reset()

        self._desk.run(lambda: forget(project, image, who=self._desk.who), done)

    # ---------------------------------------------------------------- the pool
    def read(self) -> None:
        """Read the learning curve and what stands out in the pool."""
        desk, project = self._desk, self._desk.project
        if project is None:
            return

        def done(found: Guide) -> None:
            desk.update(guide=found)

        desk.run(
            lambda: desk.helper.call(read_guide, project.path), done, lane=Lane.EDIT
        )

    def doubt(self) -> None:
        """List the finished masks that the model doubts."""
        desk, project, version = self._desk, self._desk.project, self._version()
        if project is None:
            return
        if version is None:
            desk.say("There is no model yet that could doubt a mask.")
            return

        def done(found: tuple[Named, ...]) -> None:
            desk.update(doubted=found)

        desk.run(
            lambda: self._answers.doubted(project, version),
            done,
            lane=Lane.MODEL,
            busy="Asking the model about finished masks",
        )

    def _version(self) -> str | None:
        shown = self._desk.state.project
        return shown.version if shown else None


# ------------------------------------------------------------- in the helper process
def read_guide(path: Path) -> Guide:
    """Read what is known of a project; for the helper process."""
    from src_core.rounds.grouping import groups_by_look, look_alikes
    from src_core.rounds.outlook import outlook

    project = opened(path)
    ahead = outlook(project)
    alike = look_alikes(project, wait=False)[:MOST]
    groups = [group.images for group in groups_by_look(project)]
    return Guide(
        ahead.sentence,
        tuple((float(p.labelled), p.dice) for p in ahead.points),
        tuple((n, e.mean, e.low, e.high) for n, e in ahead.curve),
        tuple(_named(project, a.images, _suspicion(project, a)) for a in alike),
        tuple(_named(project, ids, f"{len(ids)} that look alike") for ids in groups),
    )


def _named(project: Project, images: tuple[str, ...], said: str) -> Named:
    return Named(images[0], "", project.image(images[0]).name, said)


def _suspicion(project: Project, alike: LookAlikes) -> str:
    others = [project.image(image).name for image in alike.images[1:]]
    said = ", ".join(others[:TOLD])
    if len(others) > TOLD:
        said += f" and {len(others) - TOLD} more"
    if alike.across_splits:
        return f"learned from and tested on: {said}"
    if alike.across_groups:
        return f"another patient's: {said}"
    return said
