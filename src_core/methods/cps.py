"""CPS: cross pseudo supervision (Chen et al., CVPR 2021, arXiv 2106.01226).

Original code: ``charlesCXK/TorchSemiSeg``; followed here is its best form, CPS with
CutMix.

Faithful: two networks of one kind, alike but for their random initialisation, each
trained on the labelled images from the first step on; on unlabelled images each is
supervised by the other's hard answer, with no threshold and no gradient to it, by the
same loss as on labels; the answers to the plain images are mixed as the images are; the
first network predicts.

Deviations:

- The loss on labels is cross-entropy + Dice with presence for all methods here, so the
  pseudo labels' is cross-entropy + Dice too; published is cross-entropy alone, in which
  a target of 1-2 % of the picture hardly counts.
- One rectangle an image in place of three, pasted from the next image of the batch.
- One optimiser for both networks: AdamW walks each weight by itself.
- The unlabelled term waits for the burn-in and ramps up as all methods' do.
- ``branches: heads`` [choice] shares the encoder between two decoders, one upsampling
  by transposed convolution and one by interpolation. It halves what the second opinion
  costs, and some of what it is worth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import torch
from pydantic import Field
from torch import Generator, Tensor

from src_core.config import Fraction
from src_core.losses import pseudo_label_loss
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
from src_core.nets import PromptUNet, TwinUNet

if TYPE_CHECKING:
    from src_core.config import ModelSettings
    from src_core.nets import Answer, PromptNet


class CPS(Method):
    """Each of two branches is supervised by the other's hard answer."""

    name = "cps"

    class Options(Method.Options):
        """What the two branches are, and how strongly they teach each other."""

        branches: Literal["networks", "heads"] = "networks"
        weight: float = Field(1.0, ge=0, description="of the cross pseudo supervision")
        cutmix: Fraction = Field(1.0, description="chance of CutMix an image")

    options: Options

    @classmethod
    def build(cls, settings: ModelSettings) -> PromptNet:
        """Return two networks in one, or one with two decoders."""
        if cls.read_options(settings.method_options).branches == "heads":
            return PromptUNet(settings.net.model_copy(update={"decoders": 2}))
        return TwinUNet(settings.net)

    def forward(
        self, labelled: Batch, unlabelled: Batch | None, moment: Moment
    ) -> Losses:
        """Return both branches' supervised losses + the cross pseudo supervision."""
        parts = [
            supervised_losses(answer, labelled)
            for answer in self._ask(labelled, labelled.images)
        ]
        losses = {k: torch.stack([part[k] for part in parts]).sum() for k in parts[0]}
        if unlabelled is not None and moment.unlabelled > 0:
            crossed = self.options.weight * self._cross(unlabelled, moment.rng)
            losses["cross pseudo supervision"] = moment.unlabelled * crossed
        return total(losses)

    def _cross(self, unlabelled: Batch, rng: Generator) -> Tensor:
        """Each branch on the mixed images against the other's mixed hard answers."""
        mix = CutMix(unlabelled, self.options.cutmix, rng)
        with torch.no_grad():
            said = self._logits(unlabelled, unlabelled.images)
        learns = self._logits(unlabelled, mix.images(unlabelled.images))
        weight = unlabelled.counts.view(-1, 1, 1, 1) * mix.known()
        taught = [
            pseudo_label_loss(mine, (mix.answers(theirs) > 0).float(), weight)
            for mine, theirs in zip(learns, reversed(said), strict=True)
        ]
        return torch.stack(taught).sum()

    def _logits(self, batch: Batch, images: Tensor) -> list[Tensor]:
        """(P, 1, S, S) of each branch."""
        return [
            decoded.logits
            for answer in self._ask(batch, images)
            for decoded in answer.decoded
        ]

    def _ask(self, batch: Batch, images: Tensor) -> list[Answer]:
        """Answer by each network: two, or one whose two decoders both answer."""
        if self.options.branches == "heads":
            return [ask(self.net, batch, images=images)]
        other = cast("TwinUNet", self.net).other
        return [ask(net, batch, images=images) for net in (self.net, other)]
