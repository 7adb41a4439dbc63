"""Kinds of images: a target is not offered on those that others are drawn on alone.

A lung of films is not looked for on stained slides. But that takes evidence: a
target drawn once must not hide the others on all images of its kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from src_core.types import MaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from src_core.store import Project
    from src_core.types import Image, Target

Kind = tuple[str, int]
"""What tells images of one modality from others: spatial axes, and channels."""

EVIDENCE: Final = 5
"""Images of a kind, drawn on for others only, that make a target foreign there."""


def kind_of(image: Image) -> Kind:
    """Return what tells the modality of an image from others."""
    channels = image.shape[image.axes.index("c")] if "c" in image.axes else 1
    return image.axes.replace("c", ""), channels


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
    """On which images of each kind each target has been drawn.

    Parameters
    ----------
    project : Project
        Its images and masks.
    """

    def __init__(self, project: Project) -> None:
        self._images = {image.id: image for image in project.images()}
        self._drawn: dict[Kind, dict[str, set[str]]] = {}
        for mask in project.masks():
            if mask.status is MaskStatus.DONE:
                self.draw(mask.image, mask.target)

    def draw(self, image: str, target: str) -> None:
        """Take in that a target was drawn in an image."""
        if image in self._images:
            targets = self._drawn.setdefault(kind_of(self._images[image]), {})
            targets.setdefault(target, set()).add(image)

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
        at_home = {target for drawn in self._drawn.values() for target in drawn}
        return np.array(
            [
                [
                    target.id not in at_home or not self._foreign(kind, target.id)
                    for target in targets
                ]
                for kind in kinds
            ],
            bool,
        ).reshape(len(kinds), len(targets))

    def _foreign(self, kind: Kind, target: str) -> bool:
        """Whether many images of a kind are drawn on, and none for this target."""
        drawn = self._drawn.get(kind, {})
        return target not in drawn and len(set().union(*drawn.values())) >= EVIDENCE
