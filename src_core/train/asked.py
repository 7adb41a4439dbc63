"""Pairs of a pool that a network is asked about again and again, and its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from src_core.imaging.prepare import standardise
from src_core.ranks import here

if TYPE_CHECKING:
    from src_core.devices import Device
    from src_core.nets import PromptNet
    from src_core.train.pool import Pool
    from src_core.train.wordings import Wordings


class Asked:
    """A fixed set of pairs with truth, asked with each target's usual wording.

    Parameters
    ----------
    pool : Pool
        With the pictures.
    wordings : Wordings
        The prompts.
    pairs : Tensor
        (n, 2) long, image and target, as :meth:`Pool.pairs` gives them.
    limit : int, optional
        At most so many pairs, spread evenly over those given.
    """

    def __init__(
        self,
        pool: Pool,
        wordings: Wordings,
        pairs: Tensor,
        limit: int | None = None,
    ) -> None:
        if limit is not None and len(pairs) > limit:
            pairs = pairs[torch.linspace(0, len(pairs) - 1, limit).round().long()]
        self.pool, self.wordings, self.pairs = pool, wordings, pairs

    def __len__(self) -> int:
        return len(self.pairs)

    @torch.no_grad()
    def dices(self, net: PromptNet, device: Device, batch: int = 16) -> Tensor:
        """Dice of each pair (n,), 1 where both masks are empty."""
        if len(self) == 0:
            return torch.empty(0)
        was_training = net.training
        net.eval()
        ranks, dices = here(), [torch.zeros(0)]
        mine = self.pairs.tensor_split(ranks.count)[ranks.number]
        for part in mine.split(batch) if len(mine) else ():
            images, image_of = part[:, 0].unique(return_inverse=True)
            at = images.to(self.pool.squares.device)
            view = standardise(
                self.pool.squares[at], self.pool.mean[at], self.pool.deviation[at]
            ).contiguous(memory_format=torch.channels_last)
            rows = torch.tensor([self.wordings.first(int(t)) for t in part[:, 1]])
            text = self.wordings.select(rows, view.device)
            with device.autocast():
                seen = net.encode(view, first_only=True)
                read = net.prompt(text.tokens, text.mask)
                pairs = seen.select(image_of.to(view.device))
                logits = net.answer(pairs, read, first_only=True).logits
            found = (logits[:, 0] > 0).flatten(1)
            truth_rows = self.pool.rows[part[:, 0], part[:, 1]].to(view.device)
            truth = (self.pool.masks[truth_rows] > 0).flatten(1)
            overlap = (found & truth).sum(1).float()
            size = (found.sum(1) + truth.sum(1)).float()
            ones = torch.ones_like(overlap)
            dices.append(
                torch.where(size > 0, 2 * overlap / size.clamp_min(1), ones).cpu()
            )
        net.train(was_training)
        return ranks.joined(torch.cat(dices))
