"""Kinds of images: a target is offered on those in which somebody has drawn it.

A lung is not looked for on a stained slide. On a kind of image on which nobody has
drawn anything yet, any target may be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from src_core.types import MaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from src_core.store import Project
    from src_core.types import Image, Target

Kind = tuple[str, int]
"""What tells images of one modality from others: axes, and how many channels."""


def kind_of(image: Image) -> Kind:
    """Return what tells the modality of an image from others."""
    channels = image.shape[image.axes.index("c")] if "c" in image.axes else 1
    return image.axes, min(channels, 3)  # a fourth one is transparency, not a modality


def kinds_of(images: Iterable[Image]) -> tuple[list[Kind], NDArray[np.int64]]:
    """Return the kinds that there are, and which of them each image has.

    Returns
    -------
    list of (str, int)
        (K,), in the order in which they occur.
    ndarray
        (n,) int64, positions in that list.
    """
    number: dict[Kind, int] = {}
    mine = [number.setdefault(kind_of(image), len(number)) for image in images]
    return list(number), np.array(mine, np.int64)


class Homes:
    """On which kinds of image each target has been drawn.

    Parameters
    ----------
    project : Project
        Its images and masks.
    """

    def __init__(self, project: Project) -> None:
        self._images = {image.id: image for image in project.images()}
        self._drawn: dict[str, set[Kind]] = {}
        for mask in project.masks():
            if mask.status is MaskStatus.DONE:
                self.draw(mask.image, mask.target)

    def draw(self, image: str, target: str) -> None:
        """Take in that a target was drawn in an image."""
        if image in self._images:
            kind = kind_of(self._images[image])
            self._drawn.setdefault(target, set()).add(kind)

    def fitting(
        self, kinds: Sequence[Kind], targets: Sequence[Target]
    ) -> NDArray[np.bool_]:
        """Return on which kinds each target is to be offered: (K, T).

        Parameters
        ----------
        kinds : sequence of (str, int)
            (K,).
        targets : sequence of Target
            (T,).
        """
        anywhere = set().union(*self._drawn.values())
        return np.array(
            [
                [
                    kind not in anywhere or kind in self._drawn.get(target.id, anywhere)
                    for target in targets
                ]
                for kind in kinds
            ],
            bool,
        ).reshape(len(kinds), len(targets))
