"""Saving: how the mask at hand reaches the ledger, and what is asked if it cannot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psygnal import Signal

from lgssl_napari.annotating import HISTORY, Proposal, Then, nothing
from lgssl_napari.state import Choice, Level
from src_core.errors import ConflictError
from src_core.types import HUMAN, MaskStatus, Revision, Source, SourceKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lgssl_napari.annotating import Annotating
    from lgssl_napari.desk import Desk
    from src_core.store import Project

    Mask = NDArray[np.uint8]

REVIEW = "Please look at this one."


@dataclass(frozen=True, slots=True)
class Draft:
    """A mask on its way to the ledger; `mask` None keeps or clears what stands."""

    image: str
    target: str
    mask: Mask | None
    status: MaskStatus
    parent: int | None
    proposal: Proposal | None
    seconds: float
    note: str


class Saving:
    """Writes the mask at hand.

    Parameters
    ----------
    desk : Desk
        Shared state.
    annotating : Annotating
        The mask at hand.
    """

    outdated = Signal()
    """The mask that somebody else saved is to stand, and not the one at hand."""

    def __init__(self, desk: Desk, annotating: Annotating) -> None:
        self._desk, self._annotating = desk, annotating
        self._under_way: tuple[Project, Draft] | None = None
        self._waiting: Then | None = None
        self._remedy: Choice | None = None

    # ------------------------------------------------------------------ saving
    def save(self, then: Then = nothing) -> None:
        """Save the mask as done; an empty one is asked about."""
        if not self._ready():
            return
        if self._desk.canvas.annotation().any():
            self._write(MaskStatus.DONE, then)
            return
        name = self._target_name()
        self._desk.ask(
            f"Nothing is drawn for '{name}'. Did you look, and it is not there?",
            Choice("It is not there", lambda: self._write(MaskStatus.EMPTY, then)),
            Choice("Go back", nothing),
            about_mask=True,
        )

    def mark_empty(self, then: Then = nothing) -> None:
        """Save that the target was looked for and is not in the image."""
        if not self._ready():
            return
        pixels = int(self._desk.canvas.annotation().sum())
        if not pixels:
            self._write(MaskStatus.EMPTY, then)
            return
        self._desk.ask(
            f"{pixels:,} pixels are drawn for '{self._target_name()}'. Remove them and "
            "save that it is not there?",
            Choice("Remove them", lambda: self._write(MaskStatus.EMPTY, then)),
            Choice("Go back", nothing),
            about_mask=True,
        )

    def flag(self, note: str = "", then: Then = nothing) -> None:
        """Save the mask for somebody else to look at; it is not learned from."""
        if self._ready():
            self._write(MaskStatus.FLAGGED, then, note.strip() or REVIEW)

    def leave(self, then: Then) -> None:
        """Go on with `then` once nothing unsaved would be lost by it.

        Where just that is being saved, when it is: in place of what was to come then.
        """
        if not self._annotating.unsaved():
            self._annotating.strokes.drop()
            then()
            return
        if self._is_being_saved():
            self._waiting = lambda: self.leave(then)
            return
        work = self._desk.state.work
        what = f"'{work.target.name}'" if work.target else "What you drew"
        where = work.image.name if work.image else ""
        choices = [
            Choice("Discard", lambda: self.discard(then)),
            Choice("Stay", nothing),
        ]
        if work.target is not None:
            choices.insert(0, Choice("Save", lambda: self.save(then)))
        self._desk.ask(f"{what} in '{where}' is not saved.", *choices, about_mask=True)

    def discard(self, then: Then = nothing) -> None:
        """Go back to what is saved, and forget the strokes."""
        desk, annotating = self._desk, self._annotating
        work, project, said = desk.state.work, desk.project, desk.state.message
        if annotating.saved is not None:
            desk.canvas.edit_annotation(annotating.saved)
        annotating.strokes.reset()
        desk.update_work(dirty=False)
        if said is not None and said.remedy is not None and said.remedy is self._remedy:
            desk.update(message=None)  # what is given up is not to be tried again
        if project is None or work.image is None or work.target is None:
            then()
            return
        image, target = work.image.id, work.target.id
        desk.run(
            lambda: annotating.strokes.clear(project, image, target), lambda _: then()
        )

    def _ready(self) -> bool:
        work = self._desk.state.work
        if self._desk.project is None or work.image is None:
            self._desk.say("Open an image first.", Level.WARNING)
            return False
        if work.target is None:
            self._desk.say(
                "Say what this is first: type it above and press Enter.", Level.WARNING
            )
            return False
        return True

    def _target_name(self) -> str:
        target = self._desk.state.work.target
        return target.name if target else ""

    def _write(self, status: MaskStatus, then: Then, note: str = "") -> None:
        desk, work, annotating = self._desk, self._desk.state.work, self._annotating
        project = desk.project
        if project is None or work.image is None or work.target is None:
            return
        mask = desk.canvas.annotation()
        is_empty = status is MaskStatus.EMPTY
        draft = Draft(
            work.image.id,
            work.target.id,
            None if is_empty else mask,
            status,
            work.revision,
            annotating.proposal,
            annotating.watch.seconds,
            note,
        )
        if is_empty and mask.any():
            mask[...] = 0
            desk.canvas.edit_annotation(mask)
        if self._is_being_saved(draft.status):
            return  # the key was pressed twice
        if self._under_way is not None and self._is_at_hand(*self._under_way):
            # On top of what is on its way, or the two would be in conflict.
            self._waiting = lambda: self._write(status, then, note)
            return
        self._commit(project, draft, mask, work.target.name, then)

    def _is_at_hand(self, project: Project, draft: Draft) -> bool:
        work = self._desk.state.work
        at_hand = work.image and work.image.id, work.target and work.target.id
        return project is self._desk.project and at_hand == (draft.image, draft.target)

    def _is_being_saved(self, status: MaskStatus | None = None) -> bool:
        """Whether what the canvas holds is on its way to the ledger, as a status."""
        if self._under_way is None or not self._is_at_hand(*self._under_way):
            return False
        draft, drawn = self._under_way[1], self._desk.canvas.annotation()
        same = not drawn.any() if draft.mask is None else (drawn == draft.mask).all()
        return bool(same) and status in (None, draft.status)

    def _commit(
        self, project: Project, draft: Draft, mask: Mask, name: str, then: Then
    ) -> None:
        """Write a draft of the canvas as `mask`, whatever is at hand by then."""
        desk, annotating, status = self._desk, self._annotating, draft.status

        def work_off() -> tuple[Revision, list[Revision]]:
            revision = commit(project, draft, desk.who)
            annotating.strokes.clear(project, draft.image, draft.target)
            return revision, project.history(image=draft.image, limit=HISTORY)

        def done(outcome: tuple[Revision, list[Revision]]) -> None:
            revision, past = outcome
            self._under_way, waiting = None, self._waiting
            self._waiting = None
            desk.mark(draft.image, draft.target, status)
            at_hand = desk.state.work
            if at_hand.image is not None and at_hand.image.id == draft.image:
                desk.update_work(history=tuple(past))
                if at_hand.target is not None and at_hand.target.id == draft.target:
                    annotating.settle(mask)
                    desk.update_work(
                        status=status,
                        revision=revision.number,
                        reviewer="",
                        dirty=annotating.unsaved(),
                    )
                    if desk.state.work.dirty:  # painted on while it was being saved
                        annotating.strokes.keep()
            desk.say(f"Saved '{name}' as {status}.")
            (waiting or then)()

        def failed(error: Exception) -> None:
            self._under_way = self._waiting = None
            if isinstance(error, ConflictError):
                self._conflict(error, project, draft, mask, name, then)
            else:
                self._remedy = Choice("Try again", again)
                desk.fail(error, self._remedy)

        def again() -> None:
            if project is desk.project:
                self._commit(project, draft, mask, name, then)

        self._under_way = project, draft
        annotating.strokes.reset()
        desk.run(work_off, done, busy="Saving", failed=failed)

    def _conflict(
        self,
        error: ConflictError,
        project: Project,
        draft: Draft,
        mask: Mask,
        name: str,
        then: Then,
    ) -> None:
        """Let the person decide between two masks; the history keeps both."""
        is_at_hand = self._is_at_hand(project, draft)

        def over_it() -> None:
            if is_at_hand:  # with what was drawn since
                self._desk.update_work(revision=error.found)
                self._write(draft.status, then, draft.note)
            else:
                over = replace(draft, parent=error.found)
                self._commit(project, over, mask, name, then)

        def give_way() -> None:
            if is_at_hand:
                self.outdated.emit()
            else:
                strokes = self._annotating.strokes
                self._desk.run(
                    lambda: strokes.clear(project, draft.image, draft.target),
                    lambda _: None,
                )

        where = "" if is_at_hand else f" in '{draft.image}'"
        self._desk.ask(
            f"'{name}'{where} was changed by somebody else since you loaded it. The "
            "history keeps both; which one is to stand?",
            Choice("Mine", over_it),
            Choice("Theirs", give_way),
            Choice("Go back", nothing),
            about_mask=is_at_hand,
        )


def commit(project: Project, draft: Draft, who: str) -> Revision:
    """Write a draft, after the proposal that it began with.

    The proposal is a revision of its own, so that it can be told later how much a
    person had to change; the two rows are written one right after the other.

    Raises
    ------
    ConflictError
        If somebody changed the mask since it was loaded; nothing is written.
    """
    parent, source = draft.parent, HUMAN
    if draft.proposal is not None:
        model, prompt = draft.proposal.model, draft.proposal.prompt
        proposed = project.save_mask(
            draft.image,
            draft.target,
            draft.proposal.mask,
            who=who,
            status=MaskStatus.PROPOSED,
            source=Source(SourceKind.MODEL, model, prompt),
            parent=parent,
        )
        parent, source = proposed.number, Source(SourceKind.HUMAN, model, prompt)
    return project.save_mask(
        draft.image,
        draft.target,
        draft.mask,
        who=who,
        status=draft.status,
        source=source,
        parent=parent,
        seconds_spent=draft.seconds,
        note=draft.note,
    )
