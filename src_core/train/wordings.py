"""Every way to ask for every target, encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from src_core.text import TextEncoder, TextFeatures, sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from src_core.types import Target


class Wordings:
    """Text features of the targets' wordings and of the pictures' captions.

    Parameters
    ----------
    targets : sequence of Target
        In the pool's order.
    captions : sequence of str
        One a picture, ``""`` where there is none. They are used as prompts only where
        the project has one target: of several, a caption does not say which is meant.
    encoder : TextEncoder
        Encodes each distinct wording once.
    """

    def __init__(
        self, targets: Sequence[Target], captions: Sequence[str], encoder: TextEncoder
    ) -> None:
        per_target = [list(target.wordings) for target in targets]
        captions = captions if len(targets) == 1 else [""] * len(captions)
        texts = list(
            dict.fromkeys(
                [w for ws in per_target for w in ws] + [c for c in captions if c]
            )
        )
        self.texts = texts
        row = {text: k for k, text in enumerate(texts)}
        self._of_target = [[row[w] for w in ws] for ws in per_target]
        self._of_image = [row[c] if c else -1 for c in captions]
        self.features = encoder.encode(texts)

    @property
    def name_a_side(self) -> bool:
        """Whether any wording says left or right: then pictures must not be flipped."""
        return any(sides(text) for text in self.texts)

    def first(self, target: int) -> int:
        """Row of the usual wording of a target."""
        return self._of_target[target][0]

    def caption(self, image: int) -> int | None:
        """Row of a picture's caption, None where it has none."""
        row = self._of_image[image]
        return row if row >= 0 else None

    def draw(self, targets: Tensor, images: Tensor, rng: Generator) -> Tensor:
        """Draw one wording a pair; every second time the picture's caption, if any.

        Parameters
        ----------
        targets, images : Tensor
            (P,) long.
        rng : Generator
            On the CPU.

        Returns
        -------
        Tensor
            (P,) long, rows of :attr:`features`.
        """
        chance = torch.rand((len(targets), 2), generator=rng).tolist()
        rows = []
        for target, image, (which, pick) in zip(
            targets.tolist(), images.tolist(), chance, strict=True
        ):
            own = self._of_target[target]
            caption = self._of_image[image]
            use_caption = caption >= 0 and which < 0.5
            rows.append(caption if use_caption else own[int(pick * len(own))])
        return torch.tensor(rows, dtype=torch.long)

    def select(self, rows: Tensor, device: torch.device) -> TextFeatures:
        """Return the features at `rows` on a device, cut to the longest of them."""
        chosen = self.features.select(rows)
        longest = int(chosen.mask.sum(1).max())
        cut = TextFeatures(
            chosen.tokens[:, :longest], chosen.mask[:, :longest], chosen.pooled
        )
        return cut.to(device)
