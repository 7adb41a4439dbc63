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

    def project(self, then: Then) -> None:
        """Leave the open project; a training that runs in it keeps it open."""
        if self._desk.state.job.running:
            self._desk.say(
                "A training is running in this project; stop it or wait until it ends, "
                "then open another.",
                Level.WARNING,
            )
            return
        self._parts.saving.leave(then)

    def image(self, then: Then) -> None:
        """Leave the image at hand, and what was asked about it."""
        self._parts.judging.leave()

        def left() -> None:
            self._parts.asking.forget()
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
