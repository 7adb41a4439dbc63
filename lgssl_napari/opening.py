"""Which image and which target are at hand: reading them, and showing what was read.

Reading takes a while in which a person may go on drawing. What was read is therefore
not shown over a stroke that is being drawn, nor over one that would be lost by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from lgssl_napari.annotating import HISTORY, Then, nothing
from lgssl_napari.state import Picture, WorkState
from lgssl_napari.windowing import window_of
from src_core.types import MaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lgssl_napari.annotating import Annotating
    from lgssl_napari.desk import Desk
    from lgssl_napari.saving import Saving
    from src_core.store import Project
    from src_core.types import Image, Revision, Target

    Mask = NDArray[np.uint8]

T = TypeVar("T")
PARTS = 3
"""Layers of an image: itself, the annotation, the proposal."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One mask as it is saved."""

    mask: Mask
    status: MaskStatus
    revision: int | None
    reviewer: str = ""


class Opening:
    """Puts images and saved masks on the canvas.

    Parameters
    ----------
    desk : Desk
        Shared state.
    annotating : Annotating
        Holds the mask that is shown.
    saving : Saving
        Guards what is not saved.
    """

    def __init__(self, desk: Desk, annotating: Annotating, saving: Saving) -> None:
        self._desk, self._annotating, self._saving = desk, annotating, saving
        self._ticket = 0
        self._reading: Project | None = None
        self._next: Then | None = None
        self._waiting: list[Then] = []
        desk.canvas.released.connect(self._released)
        saving.outdated.connect(self.reload)

    # ------------------------------------------------------------------ opening
    def open(
        self, image_id: str, target_id: str = "", reason: str = "", then: Then = nothing
    ) -> None:
        """Show an image with the mask of a target, by default of the one at hand."""
        project = self._desk.project
        if project is None:
            return
        at_hand = self._desk.state.work.target
        wanted = target_id or (at_hand.id if at_hand else "")
        self._ticket += 1
        self._reading, self._next = project, None

        def read() -> tuple[Picture, Target | None, Loaded, list[Revision]]:
            image = project.image(image_id)
            for _ in range(PARTS):
                self._desk.runner.post(lambda: self._desk.canvas.prepare(image))
            pixels = np.asarray(project.pixels(image)[...])
            target = project.target(wanted) if wanted else None
            loaded = load(project, image, target)
            past = project.history(image=image.id, limit=HISTORY)
            return Picture(image, pixels), target, loaded, past

        def show(found: tuple[Picture, Target | None, Loaded, list[Revision]]) -> None:
            picture, target, loaded, past = found
            self._desk.pixels = picture.pixels
            rows = self._desk.state.project.images if self._desk.state.project else ()
            ids = [row.id for row in rows]
            position = ids.index(image_id) if image_id in ids else -1
            work = WorkState(
                picture.image,
                position,
                target,
                reason=reason,
                history=tuple(past),
                scribbling=replace(self._desk.state.work.scribbling, kind=0),
            )
            self._desk.update(work=work, answer=None, comparing="")
            self._show(loaded, replace(picture, window=window_of(target)))
            self._reading, following = None, self._next
            then()
            if following is not None:
                following()

        shown = self._unless_drawn_on(
            show, lambda: self.open(image_id, target_id, reason, then)
        )

        def done(found: tuple[Picture, Target | None, Loaded, list[Revision]]) -> None:
            try:
                shown(found)
            finally:
                self._has_read(ticket)

        def failed(error: Exception) -> None:
            self._has_read(ticket)
            self._desk.fail(error)

        ticket = self._ticket
        self._desk.run(read, done, busy="Reading the image", failed=failed)

    def once_there(self, call: Then) -> None:
        """Make a call now, or when the image that is being read is on the canvas.

        After what was to come then, and in place of it where both ask a model.
        """
        if self._reading is not None and self._reading is self._desk.project:
            self._next = call
        else:
            call()

    def take_up(self, target: Target, then: Then = nothing) -> None:
        """Make a target the one at hand and show its mask."""
        work, project = self._desk.state.work, self._desk.project
        if project is None or work.image is None:
            return
        if work.target is not None and work.target.id == target.id:
            self._desk.update_work(target=target)
            then()
            return
        image = work.image

        def show(loaded: Loaded) -> None:
            # What was drawn before anybody said what it is belongs to this target.
            nameless = self._desk.state.work.target is None
            unsaved = nameless and self._annotating.unsaved()
            drawn = self._desk.canvas.annotation() if unsaved else None
            self._desk.update_work(target=target)
            self._show(loaded)
            if drawn is not None:
                self._desk.canvas.edit_annotation(loaded.mask | drawn)
            # In a turn of its own: to fill two layers at once takes twice as long.
            self._desk.runner.post(then)

        def again() -> None:
            self.take_up(target, then)

        done = self._unless_drawn_on(
            show, again, of=image, elsewhere=again, takes_along=True
        )
        self._desk.run(lambda: load(project, image, target), done)

    def reload(self) -> None:
        """Read the mask at hand again; what is drawn and not saved now is dropped."""
        work, project = self._desk.state.work, self._desk.project
        if project is None or work.image is None:
            return
        image, target = work.image, work.target
        dropped = self._desk.canvas.annotation()

        def read() -> tuple[Loaded, list[Revision]]:
            if target is not None:
                self._annotating.strokes.clear(project, image.id, target.id)
            past = project.history(image=image.id, limit=HISTORY)
            return load(project, image, target), past

        def show(found: tuple[Loaded, list[Revision]]) -> None:
            loaded, past = found
            if self._desk.state.work.target != target:  # another was taken up meanwhile
                return
            self._show(loaded)
            self._desk.update_work(history=tuple(past))
            if target is not None:
                self._desk.mark(image.id, target.id, loaded.status)

        done = self._unless_drawn_on(
            show, lambda: self._saving.leave(self.reload), of=image, dropped=dropped
        )
        self._desk.run(read, done)

    def bring_back(self, image_id: str, target_id: str) -> None:
        """Show the strokes of a mask that were never saved."""

        def done(strokes: Mask) -> None:
            self.open(
                image_id,
                target_id,
                "its strokes were not saved",
                lambda: self._desk.canvas.edit_annotation(strokes),
            )

        project, strokes = self._desk.project, self._annotating.strokes
        if project is not None:
            self._desk.run(lambda: strokes.read(project, image_id, target_id), done)

    # ----------------------------------------------------------------- plumbing
    def _show(self, loaded: Loaded, picture: Picture | None = None) -> None:
        """Put a saved mask of the target at hand on the canvas, with a new image."""
        target, project = self._desk.state.work.target, self._desk.state.project
        self._desk.drop_question_of_mask()
        ids = [t.id for t in project.targets] if project else []
        colour = ids.index(target.id) if target and target.id in ids else len(ids)
        self._annotating.strokes.reset()
        name = target.name if target else ""
        if picture is not None:
            self._desk.canvas.show_image(picture, loaded.mask, name, colour)
        else:
            self._desk.canvas.set_annotation(loaded.mask, name, colour)
            self._desk.canvas.show_window(window_of(target))
        self._desk.update_work(
            status=loaded.status,
            revision=loaded.revision,
            reviewer=loaded.reviewer,
            dirty=False,
        )
        self._annotating.settle(loaded.mask)

    def _unless_drawn_on(
        self,
        show: Callable[[T], None],
        again: Then,
        *,
        of: Image | None = None,
        elsewhere: Then = nothing,
        takes_along: bool = False,
        dropped: Mask | None = None,
    ) -> Callable[[T], None]:
        """Return what shows a thing that was read, or asks first about new strokes.

        Parameters
        ----------
        show : callable
            Shows what was read.
        again : callable
            Reads it once more, when the stroke is done or the question is answered:
            what was saved in between may be the mask that was read.
        of : Image, optional
            What was read belongs to this image.
        elsewhere : callable
            Called instead where another is at hand by then.
        takes_along : bool
            Whether what is drawn and has no target yet is kept by showing it.
        dropped : ndarray, optional
            What the person agreed to lose.
        """
        ticket, project = self._ticket, self._desk.project

        def unless_late(call: Then) -> Then:
            def late() -> None:
                if ticket == self._ticket and project is self._desk.project:
                    call()

            return late

        def arrived(found: T) -> None:
            if ticket != self._ticket:  # another image is being opened
                return
            at_hand = self._desk.state.work.image
            if of is not None and (at_hand is None or at_hand.id != of.id):
                elsewhere()
            elif self._desk.canvas.held:
                self._waiting.append(unless_late(again))
            elif loses_nothing():
                show(found)
            else:
                self._saving.leave(unless_late(again))

        def loses_nothing() -> bool:
            if takes_along and self._desk.state.work.target is None:
                return True
            if dropped is not None:
                return np.array_equal(dropped, self._desk.canvas.annotation())
            return not self._annotating.unsaved()

        return arrived

    def _has_read(self, ticket: int) -> None:
        """Note that an image has come, shown or not, unless another is being read."""
        if ticket == self._ticket:
            self._reading = None

    def _released(self) -> None:
        # napari tells of a stroke before it is in the data: look a moment later.
        self._desk.runner.post(self._go_on)

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()


def load(project: Project, image: Image, target: Target | None) -> Loaded:
    """Read a mask as it is saved; an empty one where there is none."""
    mask = project.mask(image.id, target.id) if target is not None else None
    if mask is None:
        empty = np.zeros(image.spatial_shape, np.uint8)
        return Loaded(empty, MaskStatus.UNLABELLED, None)
    return Loaded(mask.read(), mask.status, mask.revision, mask.reviewer)
