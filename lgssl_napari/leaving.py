"""Going from one image or project to another, with nothing lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lgssl_napari.state import Level

if TYPE_CHECKING:
    from lgssl_napari.annotating import Then
    from lgssl_napari.desk import Desk
    from lgssl_napari.parts import Parts


class Leaving:
    """Asks about what is not saved before anything else is opened.

    Parameters
    ----------
    desk : Desk
        Shared state.
    parts : Parts
        What may hold something that would be lost.

    Attributes
    ----------
    opens_next : bool
        Whether the next image opens each time one was saved.
    """

    def __init__(self, desk: Desk, parts: Parts) -> None:
        self._desk, self._parts = desk, parts
        self.opens_next = True
        parts.projects.guard(self.project, parts.annotating.unsaved)

    def project(self, then: Then) -> None:
        """Leave the open project, unless what goes on there keeps it open."""

        def unless_kept() -> None:
            # Once more: a training may have begun while the question stood there.
            if not self._keeps_open():
                then()

        if not self._keeps_open():
            self._parts.saving.leave(unless_kept)

    def _keeps_open(self) -> bool:
        """Whether the project has to stay open for now; say why."""
        reason = ""
        if self._desk.state.job.running:
            reason = (
                "A training is running in this project; stop it or wait until it ends, "
                "then open another."
            )
        elif self._desk.entering:
            reason = "Another project is being opened; wait until it is there."
        if reason:
            self._desk.say(reason, Level.WARNING)
        return bool(reason)

    def image(self, then: Then) -> None:
        """Leave the image at hand, and what was asked about it."""
        self._parts.judging.leave()

        def left() -> None:
            self._parts.asking.forget()
            self._parts.choosing.withdraw()
            then()

        self._parts.saving.leave(left)

    def to(self, image: str, target: str = "") -> None:
        """Open an image for a target, by default for the one at hand."""
        parts = self._parts
        self.image(lambda: parts.opening.open(image, target, then=parts.asking.follow))

    def by(self, step: int) -> None:
        """Open the image that is some places further in the list."""
        self.image(lambda: self._parts.choosing.step(step))

    def for_next(self) -> None:
        """Open the image to label next, and say why that one."""
        self.image(self._parts.choosing.next)

    def after_save(self) -> None:
        """Go on to the next image where the person wants that."""
        if self.opens_next:
            self.for_next()
