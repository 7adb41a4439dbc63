"""The mask at hand: loading it, changing it, saving it, and its history."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from lgssl_napari.edits import EDITS, edited
from lgssl_napari.lanes import Lane
from lgssl_napari.state import Picture, WorkState
from lgssl_napari.strokes import Stopwatch, Strokes
from src_core.types import MaskStatus, Revision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lgssl_napari.desk import Desk
    from src_core.store import Project
    from src_core.types import Image, Target

    Mask = NDArray[np.uint8]

HISTORY = 200
BETWEEN = 0.5
"""Seconds between two looks at a stroke that is not done yet: a person may draw one
for half a minute, and the window may be killed in the middle of it."""
PARTS = 3
"""Layers of an image: itself, the annotation, the proposal."""
Then = Callable[[], None]


def nothing() -> None:
    """Do nothing: the usual end of a chain of steps."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A model's mask that was taken into the annotation, and what it was cut from."""

    mask: Mask
    model: str
    prompt: str
    probability: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """One mask as it is saved."""

    mask: Mask
    status: MaskStatus
    revision: int | None
    reviewer: str = ""


class Annotating:
    """What the annotation layer holds, and how it reaches the ledger.

    Parameters
    ----------
    desk : Desk
        Shared state.
    """

    settled = Signal()
    """The mask at hand is what is saved: another was loaded, or this one was saved."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.strokes = Strokes(desk)
        self.watch = Stopwatch()
        self.saved: Mask | None = None
        self.proposal: Proposal | None = None
        self._ticket = 0
        self._noted = 0.0
        desk.canvas.edited.connect(self._edited)
        desk.canvas.drawing.connect(self._drawing)

    # ----------------------------------------------------------------- loading
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
        ticket = self._ticket

        def read() -> tuple[Picture, Target | None, Loaded, list[Revision]]:
            image = project.image(image_id)
            for _ in range(PARTS):
                self._desk.runner.post(lambda: self._desk.canvas.prepare(image))
            pixels = np.asarray(project.pixels(image)[...])
            target = project.target(wanted) if wanted else None
            loaded = load(project, image, target)
            past = project.history(image=image.id, limit=HISTORY)
            return Picture(image, pixels), target, loaded, past

        def done(found: tuple[Picture, Target | None, Loaded, list[Revision]]) -> None:
            if ticket != self._ticket:
                return
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
            self._desk.update(work=work, answer=None, question=None, comparing="")
            self.show(loaded, picture)
            then()

        self._desk.run(read, done, busy="Reading the image")

    def take_up(self, target: Target, then: Then = nothing) -> None:
        """Make a target the one at hand and show its mask."""
        work, project = self._desk.state.work, self._desk.project
        if project is None or work.image is None:
            return
        if work.target is not None and work.target.id == target.id:
            self._desk.update_work(target=target)
            then()
            return
        image, ticket = work.image, self._ticket

        # What was drawn before anybody said what it is belongs to the target named now.
        nameless = work.target is None and self.unsaved()
        drawn = self._desk.canvas.annotation() if nameless else None

        def done(loaded: Loaded) -> None:
            if ticket != self._ticket:  # another image is being opened
                return
            self._desk.update_work(target=target)
            self.show(loaded)
            if drawn is not None:
                self._desk.canvas.edit_annotation(loaded.mask | drawn)
            # In a turn of its own: to fill two layers at once takes twice as long.
            self._desk.runner.post(then)

        self._desk.run(lambda: load(project, image, target), done)

    def reload(self) -> None:
        """Read the mask at hand again; what is drawn and not saved is dropped."""
        work, project = self._desk.state.work, self._desk.project
        if project is None or work.image is None:
            return
        image, target = work.image, work.target

        def read() -> tuple[Loaded, list[Revision]]:
            if target is not None:
                self.strokes.clear(image.id, target.id)
            past = project.history(image=image.id, limit=HISTORY)
            return load(project, image, target), past

        def done(found: tuple[Loaded, list[Revision]]) -> None:
            loaded, past = found
            self.show(loaded)
            self._desk.update_work(history=tuple(past))
            if target is not None:
                self._desk.mark(image.id, target.id, loaded.status)

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

        self._desk.run(lambda: self.strokes.read(image_id, target_id), done)

    def show(self, loaded: Loaded, picture: Picture | None = None) -> None:
        """Put a saved mask of the target at hand on the canvas, with a new image."""
        target, project = self._desk.state.work.target, self._desk.state.project
        ids = [t.id for t in project.targets] if project else []
        colour = ids.index(target.id) if target and target.id in ids else len(ids)
        self.strokes.reset()
        name = target.name if target else ""
        if picture is not None:
            self._desk.canvas.show_image(picture, loaded.mask, name, colour)
        else:
            self._desk.canvas.set_annotation(loaded.mask, name, colour)
        self._desk.update_work(
            status=loaded.status,
            revision=loaded.revision,
            reviewer=loaded.reviewer,
            dirty=False,
        )
        self.settle(loaded.mask)

    def settle(self, mask: Mask) -> None:
        """Take a mask for what is saved, and begin to count a person's time."""
        self.saved, self.proposal = mask, None
        self.watch.start()
        self.settled.emit()

    # ---------------------------------------------------------------- changing
    def unsaved(self) -> bool:
        """Whether the canvas holds what is not saved.

        Compared pixel by pixel, because napari tells of a stroke but not of its undo.
        """
        if self._desk.state.work.image is None or self.saved is None:
            return False
        return not np.array_equal(self._desk.canvas.annotation(), self.saved)

    def accept(self, proposal: Proposal, mode: str) -> None:
        """Take a proposal into the annotation.

        Parameters
        ----------
        proposal : Proposal
            What the preview shows.
        mode : str
            ``"merge"``: both together. ``"replace"``: the proposal alone.
        """
        mask = proposal.mask
        if mode == "merge":
            mask = mask | self._desk.canvas.annotation()
        self._desk.canvas.edit_annotation(mask)
        self.proposal = proposal
        self._desk.canvas.clear_preview()

    def edit(self, name: str) -> None:
        """Apply one of the corrections of :data:`EDITS`."""
        before = self._desk.canvas.annotation()

        def done(after: Mask) -> None:
            if not np.array_equal(self._desk.canvas.annotation(), before):
                self._desk.say("The mask was changed meanwhile; press it again.")
            elif np.array_equal(after, before):
                self._desk.say(f"{EDITS[name].label}: there was nothing to change.")
            else:
                self._desk.canvas.edit_annotation(after)

        self._desk.run(
            lambda: self._desk.helper.call(edited, name, before),
            done,
            lane=Lane.EDIT,
            busy=EDITS[name].label,
        )

    def _edited(self) -> None:
        self._noted = time.monotonic()
        # napari tells of a stroke before it is in the data: look a moment later.
        self._desk.runner.post(self._note_edit)

    def _drawing(self) -> None:
        if time.monotonic() - self._noted > BETWEEN:
            self._edited()

    def _note_edit(self) -> None:
        self.watch.touch()
        if self._desk.state.work.image is None:
            return
        if not self._desk.state.work.dirty:
            self._desk.update_work(dirty=True)
        if self._desk.state.work.target is None:
            return
        self.strokes.keep()


def load(project: Project, image: Image, target: Target | None) -> Loaded:
    """Read a mask as it is saved; an empty one where there is none."""
    mask = project.mask(image.id, target.id) if target is not None else None
    if mask is None:
        empty = np.zeros(image.spatial_shape, np.uint8)
        return Loaded(empty, MaskStatus.UNLABELLED, None)
    return Loaded(mask.read(), mask.status, mask.revision, mask.reviewer)
