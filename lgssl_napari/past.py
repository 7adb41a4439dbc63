"""The history of the image at hand: looking back, and bringing back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lgssl_napari.state import Level
from src_core.types import MaskStatus, Revision

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lgssl_napari.desk import Desk
    from lgssl_napari.opening import Opening
    from lgssl_napari.saving import Saving


class Past:
    """Earlier revisions of the masks of one image.

    Parameters
    ----------
    desk : Desk
        Shared state.
    opening : Opening
        Shows what was brought back.
    saving : Saving
        Guards what is not saved.
    """

    def __init__(self, desk: Desk, opening: Opening, saving: Saving) -> None:
        self._desk, self._opening, self._saving = desk, opening, saving

    def look_at(self, number: int) -> None:
        """Show a revision of this image in the preview; nothing changes."""
        work, project = self._desk.state.work, self._desk.project
        revision = next((r for r in work.history if r.number == number), None)
        if project is None or work.image is None or revision is None:
            return
        if revision.target is None or revision.status is None:
            self._desk.say(f"Revision {number} changed no mask ({revision.what}).")
            return
        image, target = work.image, revision.target
        known = self._desk.state.project.targets if self._desk.state.project else ()
        name = next((t.name for t in known if t.id == target), target)

        def done(mask: NDArray[np.uint8]) -> None:
            self._desk.canvas.set_preview(mask, f"Revision {number}: {name}")
            self._desk.update(answer=None)
            self._desk.update_work(looking_at=number)

        self._desk.run(lambda: project.read_mask(image, target, number), done)

    def sign_off(self) -> None:
        """Sign the mask at hand off, as somebody other than its author."""
        work, project = self._desk.state.work, self._desk.project
        if project is None or work.image is None or work.target is None:
            self._desk.say("Open an image and say which target first.", Level.WARNING)
            return
        image, target, who = work.image.id, work.target, self._desk.state.who

        def done(revision: Revision) -> None:
            self._desk.say(f"'{target.name}' is signed off by {revision.who}.")
            self._saving.leave(self._opening.reload)

        self._saving.leave(
            lambda: self._desk.run(
                lambda: project.sign_off(image, target.id, who or project.who), done
            )
        )

    def restore(self, number: int) -> None:
        """Let an earlier revision stand again, as a new revision."""
        project = self._desk.project
        if project is None:
            return

        def done(revision: Revision) -> None:
            self._desk.canvas.clear_preview()
            self._desk.update_work(looking_at=None)
            self._desk.say(f"Revision {number} stands again, as {revision.number}.")
            work = self._desk.state.work
            if revision.target and work.image and work.image.id == revision.image:
                status = revision.status or MaskStatus.UNLABELLED
                self._desk.mark(work.image.id, revision.target, status)
            self._saving.leave(self._opening.reload)

        self._saving.leave(
            lambda: self._desk.run(
                lambda: project.restore(number, self._desk.who), done
            )
        )
