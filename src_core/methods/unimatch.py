"""UniMatch (Yang et al., CVPR 2023, arXiv 2208.09910).

Original code: ``LiheYoung/UniMatch``; followed here is its medical part
(``more-scenarios/medical``, ACDC).

Faithful: weak-to-strong consistency, the network's own hard answer on the weak view
teaches where it is sure (0.95) and gets no gradient; two strong streams, each with its
own intensity changes and its own CutMix with the chance 1/2; a feature-dropout stream:
the weak view's maps with half of the channels dropped, at every level between encoder
and decoder; Dice over the sure pixels alone in all three, weighted 1/4 + 1/4 + 1/2
beside the supervised loss.

Deviations:

- Asked by prompt, a pixel is inside or outside; the published softmax has four classes.
- The weak view is moved and not jittered, the strong ones are jittered as all methods'
  are; the published colour jitter and blur differ in detail.
- The pasted rectangle comes from the next image of the batch and not from a second
  batch, whose answers would cost one more pass; it is drawn by its sides, not by area.
- Clean and dropped maps are decoded one after the other, not in one batch: the clean
  answer gets no gradient, and so costs no backward pass. Labelled and weak images are
  normalised apart for the same reason.
- Dice is summed over each pair and not over the batch, without squares, so that a
  small target counts as much as a large one, as in the supervised loss.
- The unlabelled terms wait for the burn-in and ramp up as all methods' do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from pydantic import Field
from torch import Generator, Tensor

from src_core.augment import jitter
from src_core.config import Fraction
from src_core.losses import certainty, pseudo_dice_loss
from src_core.methods.base import (
    Batch,
    Losses,
    Method,
    Moment,
    ask,
    supervised_losses,
    total,
)
from src_core.methods.mixing import CutMix
from src_core.ranks import draw

if TYPE_CHECKING:
    from src_core.nets import PromptUNet


class UniMatch(Method):
    """Two strong streams and one of dropped features, taught by the weak view."""

    name = "unimatch"

    class Options(Method.Options):
        """Weights of the streams, and what perturbs them."""

        strong: float = Field(0.5, ge=0, description="weight of both strong streams")
        features: float = Field(0.5, ge=0, description="weight of dropped features")
        confidence: Fraction = Field(
            0.95, description="of the weak view's answer, for a pixel to count"
        )
        dropout: float = Field(0.5, ge=0, lt=1, description="share of dropped channels")
        jitter: float = Field(1.0, ge=0, description="strength on the strong views")
        cutmix: Fraction = Field(0.5, description="chance of CutMix an image")

    options: Options

    def forward(
        self, labelled: Batch, unlabelled: Batch | None, moment: Moment
    ) -> Losses:
        """Return supervised loss + weighted streams."""
        losses = supervised_losses(ask(self.net, labelled), labelled)
        if unlabelled is not None and moment.unlabelled > 0:
            parts = self._streams(unlabelled, moment.rng)
            losses |= {k: moment.unlabelled * v for k, v in parts.items()}
        return total(losses)

    def _streams(self, unlabelled: Batch, rng: Generator) -> Losses:
        options, net = self.options, cast("PromptUNet", self.net)
        read = net.prompt(unlabelled.text.tokens, unlabelled.text.mask)
        image_of = unlabelled.image_of
        levels = net.encoder(unlabelled.images)

        def decode(maps: list[Tensor]) -> Tensor:
            pairs = net.features(maps, first_only=True).select(image_of)
            return net.answer(pairs, read, first_only=True).logits

        with torch.no_grad():
            weak = decode(levels)  # (P, 1, S, S)
        dropped = decode([drop_channels(m, options.dropout, rng) for m in levels])
        mixes = [CutMix(unlabelled, options.cutmix, rng) for _ in range(2)]
        views = [
            mix.images(jitter(unlabelled.images, rng, strength=options.jitter))
            for mix in mixes
        ]
        seen = net.encode(torch.cat(views), first_only=True)
        pairs = seen.select(torch.cat([image_of, image_of + len(views[0])]))
        twice = read.select(torch.arange(len(read), device=image_of.device).repeat(2))
        strong = net.answer(pairs, twice, first_only=True).logits.chunk(2)
        counts = unlabelled.counts.view(-1, 1, 1, 1)
        matched = [
            self._match(student, mix.answers(weak), counts * mix.known())
            for student, mix in zip(strong, mixes, strict=True)
        ]
        return {
            "strong streams": options.strong * torch.stack(matched).mean(),
            "feature dropout": options.features * self._match(dropped, weak, counts),
        }

    def _match(self, student: Tensor, teacher: Tensor, counts: Tensor) -> Tensor:
        """Dice against the teacher's hard answer, over the pixels it is sure of."""
        sure = counts * (certainty(teacher) >= self.options.confidence)
        return pseudo_dice_loss(student, (teacher > 0).float(), sure)


def drop_channels(maps: Tensor, share: float, rng: Generator) -> Tensor:
    """Drop whole channels of (B, C, h, w) at random and make up for it in the rest.

    As ``nn.Dropout2d``, with the step's own source of chance.
    """
    kept = draw(torch.rand, (*maps.shape[:2], 1, 1), rng) >= share
    return maps * (kept / (1.0 - share)).to(maps)
