"""Kinds of images: a target is offered on those in which somebody has drawn it.

A lung is not looked for on a stained slide. On a kind of image on which nobody has
drawn anything yet, any target may be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from src_core.types import MaskStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from src_core.store import Project
    from src_core.types import Image, Target

Kind = tuple[str, int]
"""What tells images of one modality from others: axes, and how many channels."""


def kind_of(image: Image) -> Kind:
    """Return what tells the modality of an image from others."""
    channels = dict(zip(image.axes, image.shape, strict=True)).get("c", 1)
    return image.axes, min(channels, 3)  # a fourth one is transparency, not a modality


class Homes:
    """On which kinds of image each target has been drawn.

    Parameters
    ----------
    project : Project
        Its images and masks.
    """

    def __init__(self, project: Project) -> None:
        self._kind = {image.id: kind_of(image) for image in project.images()}
        self._drawn: dict[str, set[Kind]] = {}
        for mask in project.masks():
            if mask.status is MaskStatus.DONE:
                self.draw(mask.image, mask.target)

    def draw(self, image: str, target: str) -> None:
        """Take in that a target was drawn in an image."""
        if image in self._kind:
            self._drawn.setdefault(target, set()).add(self._kind[image])

    def fitting(
        self, images: Sequence[str], targets: Sequence[Target]
    ) -> NDArray[np.bool_]:
        """Return where each target is to be offered: (M, T).

        Parameters
        ----------
        images : sequence of str
            (M,) ids.
        targets : sequence of Target
            (T,).
        """
        number = {kind: n for n, kind in enumerate(dict.fromkeys(self._kind.values()))}
        anywhere = set().union(*self._drawn.values())
        table = np.array(
            [
                [
                    kind not in anywhere or kind in self._drawn.get(target.id, anywhere)
                    for target in targets
                ]
                for kind in number
            ],
            bool,
        ).reshape(len(number), len(targets))
        if len(number) == 1:
            return np.broadcast_to(table, (len(images), len(targets)))
        mine = [number[self._kind[image]] for image in images]
        return np.asarray(table[np.array(mine, np.int64)])
