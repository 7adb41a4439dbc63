"""Strokes inside and outside, and the outline that is found anew from them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lgssl_napari.lanes import Lane
from lgssl_napari.refine import INSIDE, OUTSIDE, refined
from lgssl_napari.state import Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lgssl_napari.annotating import Annotating
    from lgssl_napari.asking import Asking
    from lgssl_napari.desk import Desk

    Mask = NDArray[np.uint8]


class Refining:
    """Refines the annotation on top of the model's probability.

    Every refinement starts from the mask as it was before the first stroke, with what
    was painted by hand since, so that another way or one more stroke begins afresh and
    hand-made corrections stay.

    Parameters
    ----------
    desk : Desk
        Shared state.
    annotating : Annotating
        Holds the mask.
    asking : Asking
        Holds the probability.
    """

    def __init__(self, desk: Desk, annotating: Annotating, asking: Asking) -> None:
        self._desk, self._annotating, self._asking = desk, annotating, asking
        self._start: Mask | None = None
        self._written: Mask | None = None
        self._by_hand: NDArray[np.bool_] | None = None
        self._running = self._due = False
        self._ticket = 0
        annotating.settled.connect(self.forget)
        desk.canvas.stroked.connect(self._stroked)

    def scribble(self, kind: int) -> None:
        """Draw strokes of a kind, or go back to painting if that is being done."""
        work = self._desk.state.work
        if work.image is None:
            self._desk.say("Open an image first.", Level.WARNING)
            return
        self._set(kind=0 if work.scribbling.kind == kind else kind)
        self._desk.canvas.prepare_strokes()
        # In a turn of its own, and by what is wanted then: making a layer takes long.
        self._desk.runner.post(
            lambda: self._desk.canvas.draw_strokes(
                self._desk.state.work.scribbling.kind
            )
        )

    def choose(self, method: str, whole: bool, at_each_stroke: bool) -> None:
        """Choose how to refine."""
        self._set(method=method, whole=whole, at_each_stroke=at_each_stroke)

    def refine(self) -> None:
        """Find the outline anew from the strokes drawn so far."""
        desk = self._desk
        if desk.state.work.image is None or desk.pixels is None:
            desk.say("Open an image first.", Level.WARNING)
            return
        if self._running:
            self._due = True
            return
        strokes = desk.canvas.strokes()
        if not strokes.any():
            desk.say("Draw where it is inside [8] or outside [9], then refine.")
            return
        answer = desk.state.answer
        if answer is not None and answer.shown and not desk.canvas.annotation().any():
            self._asking.accept("replace")
        self._run(strokes)

    def forget(self) -> None:
        """Drop the strokes and begin afresh, as with another mask."""
        self._start = self._written = self._by_hand = None
        self._running = self._due = False
        self._ticket += 1
        self._desk.canvas.clear_strokes()
        if self._desk.state.work.scribbling.kind:
            self._set(kind=0)

    # ---------------------------------------------------------------- plumbing
    def _run(self, strokes: Mask) -> None:
        desk, work = self._desk, self._desk.state.work
        image, pixels = work.image, desk.pixels
        if image is None or pixels is None:
            return
        before = desk.canvas.annotation()
        base, seeds = self._base(before, strokes)
        probability = self._asking.probability_of(work.target)
        plane = None if work.scribbling.whole else desk.canvas.plane()
        spacing = image.spacing or (1.0,) * base.ndim
        axes = image.axes
        if plane is not None:
            pixels = np.take(pixels, plane, axis=axes.index("z"))
            axes, spacing = axes.replace("z", ""), spacing[1:]
        here = ... if plane is None else plane
        arguments = (
            pixels,
            axes,
            None if probability is None else probability[here],
            base[here],
            seeds[here],
            spacing,
            work.scribbling.method,
        )

        self._ticket += 1
        ticket = self._ticket

        def done(found: Mask) -> None:
            if ticket != self._ticket:
                return
            self._running = False
            if np.array_equal(desk.canvas.annotation(), before):
                after = base.copy()
                after[here] = found
                self._written = after
                desk.canvas.edit_annotation(after)
            else:
                self._due = True  # painted on meanwhile: once more, with that in it
            if self._due:
                self._due = False
                self.refine()

        def failed(error: Exception) -> None:
            if ticket == self._ticket:
                self._running = self._due = False
            desk.fail(error)

        self._running = True
        desk.run(
            lambda: desk.helper.call(refined, *arguments),
            done,
            lane=Lane.EDIT,
            busy="Refining",
            failed=failed,
        )

    def _base(self, now: Mask, strokes: Mask) -> tuple[Mask, Mask]:
        """Return the mask to start from, and the strokes with what was hand-made."""
        if self._start is None or self._written is None or self._by_hand is None:
            self._start, self._by_hand = now, np.zeros(now.shape, bool)
        elif not np.array_equal(now, self._start):
            # What differs from the last refinement was painted or erased by hand; all
            # of it gone means that the refinement was undone.
            self._by_hand |= now != self._written
            self._start = np.where(self._by_hand, now, self._start)
        kinds = np.where(self._start != 0, INSIDE, OUTSIDE)
        seeds = np.where(self._by_hand & (strokes == 0), kinds, strokes)
        return self._start, seeds.astype(np.uint8)

    def _stroked(self) -> None:
        # napari tells of a stroke before it is in the data: look a moment later.
        self._desk.runner.post(self._after_stroke)

    def _after_stroke(self) -> None:
        work = self._desk.state.work
        self._annotating.watch.touch()
        if work.image is not None and work.scribbling.at_each_stroke:
            self.refine()

    def _set(self, **changes: object) -> None:
        now = self._desk.state.work.scribbling
        self._desk.update_work(scribbling=replace(now, **changes))  # type: ignore[arg-type]
