"""The mask at hand: what is drawn, what of it is saved, and changing it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from lgssl_napari.edits import EDITS, edited
from lgssl_napari.lanes import Lane
from lgssl_napari.strokes import Stopwatch, Strokes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lgssl_napari.desk import Desk

    Mask = NDArray[np.uint8]

HISTORY = 200
BETWEEN = 0.5
"""Seconds between two looks at a stroke that is not done yet: a person may draw one
for half a minute, and the window may be killed in the middle of it."""
Then = Callable[[], None]


def nothing() -> None:
    """Do nothing: the usual end of a chain of steps."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A model's mask that was taken into the annotation, and what it was cut from.

    Attributes
    ----------
    mask : ndarray
        0 and 1 over the image's spatial shape.
    model, prompt : str
        Which version answered, and to what.
    probability : ndarray or None
        In [0, 1], of the same shape.
    """

    mask: Mask
    model: str
    prompt: str
    probability: NDArray[np.float32] | None = None


class Annotating:
    """What the annotation layer holds, what of it is saved, and corrections of it.

    Parameters
    ----------
    desk : Desk
        Shared state.
    """

    settled = Signal()
    """The mask at hand is what is saved: another was loaded, or this one was saved."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.strokes = Strokes(desk, self._keep_up)
        self.watch = Stopwatch()
        self.saved: Mask | None = None
        self.proposal: Proposal | None = None
        self._noted = 0.0
        desk.canvas.edited.connect(self._edited)
        desk.canvas.drawing.connect(self._drawing)

    # ----------------------------------------------------------------- holding
    def settle(self, mask: Mask) -> None:
        """Take a mask for what is saved, and begin to count a person's time.

        Parameters
        ----------
        mask : ndarray
            0 and 1 over the image's spatial shape.
        """
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
        # Not looked at while it is being written: a volume takes some milliseconds.
        if not self.strokes.put_off():
            self._keep_up()

    def _keep_up(self) -> None:
        """Keep what is drawn on the disk, or nothing where it is what is saved."""
        work = self._desk.state.work
        if work.image is None:
            return
        drawn = self._desk.canvas.annotation()
        dirty = self.saved is None or not np.array_equal(drawn, self.saved)
        if dirty != work.dirty:
            self._desk.update_work(dirty=dirty)
        if dirty:
            self.strokes.keep(drawn)
        else:
            self.strokes.drop()
