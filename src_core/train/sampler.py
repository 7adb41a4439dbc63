"""Draws the paired batches of a step: labelled and unlabelled, asked the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from src_core.augment import jitter, random_grid, warp
from src_core.imaging.prepare import standardise
from src_core.methods import Batch

if TYPE_CHECKING:
    from src_core.config import TrainSettings
    from src_core.train.pool import Pool
    from src_core.train.wordings import Wordings

LABELLED_JITTER = 0.7


class Sampler:
    """Batches with replacement, each target drawn about as often as any other.

    Parameters
    ----------
    pool : Pool
        On the device that trains.
    wordings : Wordings
        The prompts.
    settings : TrainSettings
        Sizes of the batches.
    rng : Generator
        On the CPU; the only source of chance.
    """

    def __init__(
        self, pool: Pool, wordings: Wordings, settings: TrainSettings, rng: Generator
    ) -> None:
        self.pool, self.wordings, self.settings, self.rng = (
            pool,
            wordings,
            settings,
            rng,
        )
        self._labelled, self._unlabelled = pool.labelled, pool.unlabelled
        known = pool.rows[self._labelled] >= 0  # (n, T)
        per_target = known.sum(0).clamp_min(1).float()
        self._weights = (known / per_target).sum(1)
        # A flip turns left into right; without a side in any wording it is harmless.
        self._flips = not wordings.name_a_side

    def draw(self, *, unlabelled: bool) -> tuple[Batch, Batch | None]:
        """Return the labelled batch and, if asked for, the unlabelled one beside it.

        Together they are as large as a labelled batch alone: a step costs about the
        same whether unlabelled images join or not, and so does its memory.
        """
        unlabelled = unlabelled and len(self._unlabelled) > 0
        count = self.settings.batch // 2 if unlabelled else self.settings.batch
        picked = torch.multinomial(self._weights, count, True, generator=self.rng)
        images = self._labelled[picked]  # (B,)
        image_of, targets = self._ask(images)
        text_rows = self.wordings.draw(targets, images[image_of], self.rng)
        labelled = self._batch(images, image_of, targets, text_rows, labelled=True)
        if not unlabelled:
            return labelled, None
        picked = torch.randint(len(self._unlabelled), (count,), generator=self.rng)
        others = self._unlabelled[picked]
        text_rows = self.wordings.draw(targets, others[image_of], self.rng)
        return labelled, self._batch(
            others, image_of, targets, text_rows, labelled=False
        )

    def _ask(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Choose targets for each image among those it has truth for: (P,), (P,)."""
        known = self.pool.rows[images] >= 0  # (B, T)
        order = torch.rand(known.shape, generator=self.rng).masked_fill(~known, -1.0)
        limit = min(self.settings.prompts_per_image, known.shape[1])
        score, target = order.topk(limit, dim=1)
        image_of, column = torch.nonzero(score >= 0, as_tuple=True)
        return image_of, target[image_of, column]

    def _batch(
        self,
        images: Tensor,
        image_of: Tensor,
        targets: Tensor,
        text_rows: Tensor,
        *,
        labelled: bool,
    ) -> Batch:
        pool, device = self.pool, self.pool.squares.device
        size = (pool.size, pool.size)
        grid = random_grid(len(images), size, self.rng, flips=self._flips)
        at = images.to(device)
        window = pool.mean[at], pool.deviation[at]
        plain = standardise(pool.squares[at], *window)
        view = standardise(warp(pool.squares[at], grid), *window)
        if labelled:
            view = jitter(view, self.rng, strength=LABELLED_JITTER)
        rows = pool.rows[images[image_of], targets]  # (P,)
        masks = stored = None
        if labelled:
            stored = pool.masks[rows.to(device)][:, None]
            warped = warp(stored, grid[image_of])
            masks = (warped >= 0.5).float()
        counts = torch.ones(len(rows)) if labelled else (rows < 0).float()
        return Batch(
            view.contiguous(memory_format=torch.channels_last),
            self.wordings.select(text_rows, device),
            image_of.to(device),
            targets.to(device),
            masks,
            counts.to(device),
            at,
            plain.contiguous(memory_format=torch.channels_last),
            grid,
            stored,
        )
