"""The images of a round, decoded once and kept in memory as 8-bit squares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from src_core.geometry import Letterbox
from src_core.imaging.prepare import Prepared, into_square, mask_into_square
from src_core.types import Split, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Item:
    """One 2-D picture as it goes into a pool.

    Attributes
    ----------
    image : str
        The id of the image; of a volume's slice followed by ``@`` and its number, of
        a tile by ``#`` and its number.
    picture : Prepared
        Its pixels, or those of a tile of it.
    split : Split
        Test images never enter a pool.
    truth : dict
        Target id to mask (H, W) of 0 and 1; a target that nobody labelled is missing,
        one that was looked for and is not there has an empty mask.
    caption : str
        A sentence about this very picture.
    proposed : dict
        Target id to mask, of a proposer: may teach where there is no truth.
    asked : frozenset of str or None
        Ids of the targets that this picture is asked for, where it is windowed for
        some of them and shown once more for the others; None: all.
    """

    image: str
    picture: Prepared
    split: Split
    truth: dict[str, NDArray[np.uint8]]
    caption: str = ""
    proposed: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    asked: frozenset[str] | None = None


UNLABELLED, NOT_ASKED = -1, -2


class Pool:
    """All pictures of a round at the network's size.

    Parameters
    ----------
    items : iterable of Item
        Consumed once.
    targets : sequence of Target
        What can be asked for; fixes the targets' order.
    size : int
        S, side of the square in pixels.

    Attributes
    ----------
    squares : Tensor
        (N, C, S, S) uint8; C is 1 where every picture is grey.
    mean, deviation : Tensor
        (N,) float32.
    rows : Tensor
        (N, T) long: row of `masks` with the truth of image n and target t, or
        `UNLABELLED`; `NOT_ASKED` where another picture shows the target's window.
    proposed : Tensor
        (N, T) long: the same of what a proposer drew in a training image without
        truth; it is never scored, and never counts as labelled.
    masks : Tensor
        (M, S, S) uint8 of 0 and 1.
    empty : Tensor
        (M,) bool: looked for, and not there.
    splits : list of Split
        (N,).
    """

    def __init__(
        self,
        items: Iterable[Item],
        targets: Sequence[Target],
        size: int,
    ) -> None:
        self.targets = tuple(targets)
        self.size = size
        index = {target.id: t for t, target in enumerate(self.targets)}
        squares: list[Tensor] = []
        statistics: list[tuple[float, float]] = []
        masks: list[Tensor] = []
        rows: list[list[int]] = []
        proposed: list[list[int]] = []
        self.images: list[str] = []
        self.splits: list[Split] = []
        self.captions: list[str] = []
        for item in items:
            picture = item.picture
            _, height, width = picture.pixels.shape
            box = Letterbox(height, width, size)
            squares.append(into_square(picture.pixels, box))
            statistics.append((picture.mean, picture.deviation))
            blank = [
                UNLABELLED if item.asked is None or t.id in item.asked else NOT_ASKED
                for t in self.targets
            ]
            for table, drawn in ((rows, item.truth), (proposed, item.proposed)):
                row = list(blank)
                for target, mask in drawn.items():
                    row[index[target]] = len(masks)
                    masks.append(mask_into_square(mask, box))
                table.append(row)
            self.images.append(item.image)
            self.splits.append(item.split)
            self.captions.append(item.caption)
        self.squares = _stacked(squares, size)
        self.mean, self.deviation = (
            torch.tensor([s[i] for s in statistics], dtype=torch.float32)
            for i in (0, 1)
        )
        self.rows, self.proposed = (
            torch.tensor(table, dtype=torch.long).view(-1, len(self.targets))
            for table in (rows, proposed)
        )
        none = torch.zeros((0, size, size), dtype=torch.uint8)
        self.masks = torch.stack(masks) if masks else none
        self.empty = ~(self.masks > 0).flatten(1).any(1)
        split = [s == Split.TRAIN for s in self.splits]
        self.is_train = torch.tensor(split, dtype=torch.bool)
        may_teach = (self.rows < 0) & self.is_train[:, None]
        self.proposed = self.proposed.where(may_teach, -1)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labelled(self) -> Tensor:
        """(n,) long: training images with truth for at least one target."""
        return torch.nonzero((self.rows >= 0).any(1) & self.is_train).flatten()

    @property
    def unlabelled(self) -> Tensor:
        """(n,) long: training images that lack truth for at least one target."""
        lacks = (self.rows == UNLABELLED).any(1)
        return torch.nonzero(lacks & self.is_train).flatten()

    @property
    def taught(self) -> Tensor:
        """(n,) long: training images in which a proposal teaches."""
        return torch.nonzero((self.proposed >= 0).any(1)).flatten()

    @property
    def learned(self) -> Tensor:
        """(n,) long: targets that some training image has truth or a proposal for."""
        known = (self.rows >= 0) & self.is_train[:, None] | (self.proposed >= 0)
        return torch.nonzero(known.any(0)).flatten()

    def owner(self, row: int) -> str:
        """Return the id of the project's image that a picture is a part of."""
        return self.images[row].partition("#")[0].partition("@")[0]

    def pairs(self, split: Split) -> Tensor:
        """(n, 2) long: image and target of every truth of a split."""
        wanted = torch.tensor([s == split for s in self.splits], dtype=torch.bool)
        return torch.nonzero((self.rows >= 0) & wanted[:, None])

    def to(self, device: torch.device) -> Pool:
        """Move pixels and masks to a device; returns itself."""
        self.squares, self.masks = self.squares.to(device), self.masks.to(device)
        self.mean, self.deviation = self.mean.to(device), self.deviation.to(device)
        return self


def _stacked(squares: list[Tensor], size: int) -> Tensor:
    if not squares:
        return torch.zeros((0, 1, size, size), dtype=torch.uint8)
    channels = max(len(square) for square in squares)
    return torch.stack([square.expand(channels, -1, -1) for square in squares])
