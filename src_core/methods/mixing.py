"""Mixing images, and what is known or was said of them, rectangle by rectangle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from src_core.augment import cutmix_boxes
from src_core.ranks import draw

if TYPE_CHECKING:
    from src_core.methods.base import Batch


def same_question(batch: Batch, image: Tensor) -> tuple[Tensor, Tensor]:
    """Find for each pair the one that asks another image for the same target.

    Parameters
    ----------
    batch : Batch
        P pairs.
    image : Tensor
        (P,) long, which other image each pair looks at.

    Returns
    -------
    (Tensor, Tensor)
        (P,) bool, whether there is such a pair; (P,) long, its row, 0 where there is
        none.
    """
    alike = (batch.image_of[None] == image[:, None]) & (
        batch.target_of[None] == batch.target_of[:, None]
    )  # (P, P)
    return alike.any(1), alike.float().argmax(1)


def neighbours(count: int) -> Tensor:
    """Pair the images of a batch, first with second: (B,) long, whom each looks at.

    In pairs, because then a batch that is dealt out to several processes is mixed as
    it would be in one. Of an odd number the last looks at the one before it.
    """
    row = torch.arange(count)
    return (row ^ 1).where(row ^ 1 < count, (row - 1).clamp_min(0))


class CutMix:
    """Pastes a rectangle of the neighbour in the batch.

    Yun et al., ICCV 2019, arXiv 1905.04899; for consistency in segmentation French et
    al., BMVC 2020, arXiv 1906.01916.

    Parameters
    ----------
    batch : Batch
        Its images are mixed, each with its neighbour.
    chance : float
        Of a rectangle, an image.
    rng : Generator
        Draws the rectangles.
    """

    def __init__(self, batch: Batch, chance: float, rng: Generator) -> None:
        count, device = len(batch.images), batch.images.device
        size = (batch.images.shape[-2], batch.images.shape[-1])
        boxes = cutmix_boxes(count, size, rng, low=0.25, high=0.6)
        used = draw(torch.rand, (count, 1, 1, 1), rng) < chance
        self.boxes = (boxes & used).to(device)  # (B, 1, S, S)
        self.source = neighbours(count).to(device)  # (B,)
        self._image_of = batch.image_of
        self._has_partner, self._partner = same_question(
            batch, self.source[batch.image_of]
        )

    def images(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) -> the mixed images."""
        return torch.where(self.boxes, images[self.source], images)

    def answers(self, answers: Tensor) -> Tensor:
        """(P, 1, S, S) answers on the plain images -> on the mixed ones.

        Inside a rectangle stands the answer to the same target in the image that it
        came from.
        """
        return torch.where(self.boxes[self._image_of], answers[self._partner], answers)

    def known(self) -> Tensor:
        """(P, 1, S, S) bool, False where the source image was not asked that target."""
        return ~self.boxes[self._image_of] | self._has_partner.view(-1, 1, 1, 1)
