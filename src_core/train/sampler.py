"""Draws the paired batches of a step: labelled and unlabelled, asked the same."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from src_core.augment import jitter, random_grid, warp
from src_core.imaging.prepare import standardise
from src_core.methods import Batch
from src_core.ranks import here
from src_core.train.pool import UNLABELLED

if TYPE_CHECKING:
    from src_core.config import TrainSettings
    from src_core.train.pool import Pool
    from src_core.train.wordings import Wordings

LABELLED_JITTER = 0.7
FEWEST_ABSENT, MOST_ABSENT = 0.15, 0.5
"""Share of a target's questions whose answer is known to be: not there.

Asked less often, a network learns to find something in every picture; asked more often,
as the slices of a volume would ask for a small lesion, it learns to find nothing.
"""


PROPOSAL_SHARE = 0.25
"""Share of a batch that proposals fill beside finished masks: they are trusted less."""

MOST_FAVOURED = 16.0
"""What is favoured is drawn at most so many times as often: one picture is not all."""


def pair_weights(pool: Pool) -> Tensor:
    """Return how often each pair is to be asked in training: (N, T), 0 without truth.

    Every target weighs the same. Within a target the pairs where it is known to be
    absent get their share of the questions, between `FEWEST_ABSENT` and `MOST_ABSENT`.
    Only a mask that is empty on purpose says so; of what nobody labelled nothing is
    known.
    """
    known = (pool.rows >= 0) & pool.is_train[:, None]
    absent = known & pool.empty[pool.rows.clamp_min(0)] if len(pool.masks) else known
    there = known & ~absent
    with_it, without = there.sum(0).float(), absent.sum(0).float()  # (T,)
    share = without / (with_it + without).clamp_min(1)
    both = (with_it > 0) & (without > 0)
    share = torch.where(both, share.clamp(FEWEST_ABSENT, MOST_ABSENT), share)
    weights = there * ((1 - share) / with_it.clamp_min(1))
    return weights + absent * (share / without.clamp_min(1))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """B images, and P pairs of image and target that are taught on them.

    Attributes
    ----------
    images : Tensor
        (B,) rows of the pool.
    image_of, targets, rows : Tensor
        (P,) number of the image among the B, target, row of the pool's masks.
    """

    images: Tensor
    image_of: Tensor
    targets: Tensor
    rows: Tensor

    def joined(self, other: _Pairs) -> _Pairs:
        """Return these pairs and the other ones, in one batch."""
        return _Pairs(
            torch.cat([self.images, other.images]),
            torch.cat([self.image_of, other.image_of + len(self.images)]),
            torch.cat([self.targets, other.targets]),
            torch.cat([self.rows, other.rows]),
        )

    def own(self) -> tuple[_Pairs, Tensor]:
        """Return this rank's images with their pairs, and which of the P these are."""
        images = here().own(torch.arange(len(self.images)))
        place = torch.full((len(self.images),), -1)
        place[images] = torch.arange(len(images))
        local = place[self.image_of]
        kept = torch.nonzero(local >= 0).flatten()
        targets, rows = self.targets[kept], self.rows[kept]
        return _Pairs(self.images[images], local[kept], targets, rows), kept


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
        self._even_weights = self._truth_weights = pair_weights(pool)  # (N, T)
        proposed = pool.proposed >= 0
        self._proposal_weights = proposed / proposed.sum(0).clamp_min(1).float()
        # A flip turns left into right; without a place in any wording it is harmless.
        self._flips = not wordings.name_a_place

    def favour(self, pairs: Tensor, share: float) -> None:
        """Let some labelled pairs be at least a share of what is taught from now on.

        Parameters
        ----------
        pairs : Tensor
            (n, 2) long, image and target; none, and all are drawn as usual again.
        share : float
            Of the labelled pairs of a batch, on average.
        """
        weights = self._even_weights.clone()
        image, target = pairs.T
        have = float(weights[image, target].sum() / weights.sum().clamp_min(1e-9))
        if 0 < have < share:
            wanted = share * (1 - have) / (have * (1 - share))
            weights[image, target] *= min(MOST_FAVOURED, wanted)
        self._truth_weights = weights

    def draw(
        self, *, unlabelled: bool, side: int | None = None
    ) -> tuple[Batch, Batch | None]:
        """Return the labelled batch and, if asked for, the unlabelled one beside it.

        What they show moved has the `side` asked for, in pixels; the pool's if none is.
        Together they are as large as a labelled batch alone: a step costs about the
        same whether unlabelled images join or not, and so does its memory. Of several
        ranks each draws the same batch, and makes its part of it.
        """
        unlabelled = unlabelled and len(self._unlabelled) > 0
        count = self.settings.batch // 2 if unlabelled else self.settings.batch
        taught = self._teach(count, unlabelled)
        asked, side = taught.targets, side or self.pool.size
        texts = self.wordings.draw(asked, taught.images[taught.image_of], self.rng)
        mine, kept = taught.own()
        every = torch.ones(len(kept))
        labelled = self._batch(mine, texts[kept], mine.rows, every, side)
        if not unlabelled:
            return labelled, None
        picked = torch.randint(len(self._unlabelled), (count,), generator=self.rng)
        others = self._unlabelled[picked]
        texts = self.wordings.draw(asked, others[taught.image_of], self.rng)
        mine = dataclasses.replace(mine, images=here().own(others))
        rows = self.pool.rows[mine.images[mine.image_of], mine.targets]
        unknown = (rows == UNLABELLED).float()
        return labelled, self._batch(mine, texts[kept], None, unknown, side)

    def _teach(self, count: int, joined: bool) -> _Pairs:
        """Choose what is taught in a step.

        A proposer is the first teacher only: once unlabelled images have joined, the
        network's own average takes its place.
        """
        pool = self.pool
        if not len(self._labelled):
            return self._draw(self._proposal_weights, pool.proposed, count)
        if joined or not len(pool.taught):
            return self._draw(self._truth_weights, pool.rows, count)
        proposals = max(1, round(PROPOSAL_SHARE * count))
        truth = self._draw(self._truth_weights, pool.rows, count - proposals)
        guess = self._draw(self._proposal_weights, pool.proposed, proposals)
        return truth.joined(guess)

    def _draw(self, weights: Tensor, rows: Tensor, count: int) -> _Pairs:
        """Draw images by weight (N, T), and of each some targets."""
        images = torch.multinomial(weights.sum(1), count, True, generator=self.rng)
        image_of, targets = self._ask(weights[images])
        return _Pairs(images, image_of, targets, rows[images[image_of], targets])

    def _ask(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Choose targets for each image by weight (B, T): (P,), (P,).

        Drawn by weight, without repeats (Efraimidis and Spirakis, 2006: the largest of
        ``log(u)/w``).
        """
        chance = torch.rand(weights.shape, generator=self.rng).clamp_min(1e-12)
        order = (chance.log() / weights).masked_fill(weights == 0, -torch.inf)
        limit = min(self.settings.prompts_per_image, weights.shape[1])
        score, target = order.topk(limit, dim=1)
        image_of, column = torch.nonzero(score.isfinite(), as_tuple=True)
        return image_of, target[image_of, column]

    def _batch(
        self,
        pairs: _Pairs,
        text_rows: Tensor,
        rows: Tensor | None,
        counts: Tensor,
        side: int,
    ) -> Batch:
        """Make a batch; `rows` (P,) are its masks, None where nobody labelled."""
        pool, device = self.pool, self.pool.squares.device
        images, image_of = pairs.images, pairs.image_of
        grid = random_grid(len(images), (side, side), self.rng, flips=self._flips)
        at = images.to(device)
        squares, window = pool.squares[at], (pool.mean[at], pool.deviation[at])
        view = standardise(warp(squares, grid), *window)
        masks = stored = None
        if rows is not None:
            view = jitter(view, self.rng, strength=LABELLED_JITTER)
            stored = pool.masks[rows.to(device)][:, None]
            warped = warp(stored, grid[image_of])
            masks = (warped >= 0.5).float()
        return Batch(
            view.contiguous(memory_format=torch.channels_last),
            self.wordings.select(text_rows, device),
            image_of.to(device),
            pairs.targets.to(device),
            masks,
            counts.to(device),
            at,
            squares,
            *window,
            grid,
            stored,
        )
