"""The other targets' saved masks, to draw beside them and not over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from src_core.types import MaskStatus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lgssl_napari.annotating import Annotating
    from lgssl_napari.desk import Desk

    Mask = NDArray[np.uint8]

NOT_DRAWN = (MaskStatus.UNLABELLED, MaskStatus.EMPTY)


class Neighbours:
    """Shows what is saved of the other targets in the image at hand.

    Parameters
    ----------
    desk : Desk
        Shared state.
    annotating : Annotating
        Tells when another mask is at hand.
    """

    def __init__(self, desk: Desk, annotating: Annotating) -> None:
        self._desk = desk
        annotating.settled.connect(self._refresh)

    def show(self, visible: bool) -> None:
        """Show them, from image to image, or hide them."""
        self._desk.update(neighbours=visible)
        self._refresh()

    def _refresh(self) -> None:
        desk = self._desk
        project, state = desk.project, desk.state
        work, shown = state.work, state.project
        if work.image is None or project is None or shown is None:
            return
        image = work.image
        at_hand = work.target.id if work.target else ""
        drawn = [
            (place, target)
            for place, target in enumerate(shown.targets)
            if target.id != at_hand
            and shown.statuses.get((image.id, target.id), MaskStatus.UNLABELLED)
            not in NOT_DRAWN
        ]
        empty = np.zeros(image.spatial_shape, np.uint8)
        if not state.neighbours or not drawn:
            desk.canvas.set_neighbours(empty, ())
            return

        def read() -> Mask:
            labels = empty
            for number, (_, target) in enumerate(drawn, start=1):
                mask = project.mask(image.id, target.id)
                if mask is not None:
                    labels[mask.read() != 0] = number
            return labels

        def done(labels: Mask) -> None:
            now = desk.state.work
            same = now.image is not None and now.image.id == image.id
            wanted = desk.state.neighbours  # they may have been hidden meanwhile
            if wanted and same and (now.target.id if now.target else "") == at_hand:
                names = [(target.name, place) for place, target in drawn]
                desk.canvas.set_neighbours(labels, names)

        desk.run(read, done)
